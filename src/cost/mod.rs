//! Money: what AWS lists as prices, and what it has billed. Decimal throughout; an unknown price is no price.

pub mod bill;
pub mod prices;
