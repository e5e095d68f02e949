//! Bills: Cost and Usage Reports and FOCUS exports → one line per account, usage type, resource and day.
