//! Money: what AWS lists as prices, and what it has billed. Decimal throughout; an unknown price is no price.

pub mod region_codes;
pub mod bill_columns;
mod bill_rows;
pub mod bill;
pub mod bill_tie_out;
pub mod bill_shares;
pub mod focus;
pub mod prices;
