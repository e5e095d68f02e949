//! The price list: which meter costs how much in which region, since when, and who says so.
