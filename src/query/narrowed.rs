//! What the filters of a statement over `hourly` leave out, so that those rows need not be made. DataFusion filters again.

use super::flow_table::one_of;
use super::hourly::{Direction, Key};
use super::part_columns::Status;
use crate::inventory::ranges::is_private;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Which sums a statement reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Only traffic.
    traffic: bool,
    /// Only what was accepted.
    accepted: bool,
    /// Only what has a direction.
    directed: bool,
    /// Only what has to do with NAT.
    nat: bool,
}

impl Narrowed {
    /// Takes what is useful of a filter; returns whether anything was.
    pub fn learn(&mut self, filter: &Expr) -> bool {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                let (left, right) = (self.learn(left), self.learn(right));
                left || right
            }
            Expr::IsNotNull(of) => match &**of {
                Expr::Column(column) => self.is_there(&column.name),
                _ => false,
            },
            filter => match one_of(filter) {
                Some(("log_status", values)) if values == ["OK"] => {
                    self.traffic = true;
                    true
                }
                Some(("action", values)) if values == ["ACCEPT"] => {
                    self.accepted = true;
                    true
                }
                // Whatever the value is, it is not NULL.
                Some((column, _)) => self.is_there(column),
                None => false,
            },
        }
    }

    fn is_there(&mut self, column: &str) -> bool {
        match column {
            "direction" => self.directed = true,
            "nat_role" => self.nat = true,
            _ => return false,
        }
        true
    }

    /// Whether they keep none whose other end has no address.
    pub fn needs_address(self) -> bool {
        self.nat
    }

    /// Whether the filters may keep the row of a sum; `class` is which of a conversation's records at a NAT gateway it is.
    pub fn may_keep(self, key: &Key, class: Option<&str>) -> bool {
        let is_traffic = key.status == Status::Ok;
        let may_be_nat = || match (class, key.local_addr, key.peer_addr) {
            (Some(class), Some(_), Some(_)) => matches!(class, "A" | "A*" | "D" | "D*"),
            (None, Some(_), Some(peer)) => !is_private(peer),
            _ => false,
        };
        (is_traffic || !(self.traffic || self.accepted || self.nat))
            && !(key.rejected && (self.accepted || self.nat))
            && !(self.directed && key.direction == Direction::Unknown)
            && (!self.nat || may_be_nat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    fn key(peer: &str) -> Key {
        Key {
            hour: 0,
            flow_log: 0,
            local: 0,
            peer: 0,
            way: 0,
            local_addr: "10.0.0.1".parse().ok(),
            peer_addr: peer.parse().ok(),
            protocol: Some(6),
            service_port: Some(443),
            path: None,
            direction: Direction::Egress,
            rejected: false,
            status: Status::Ok,
        }
    }

    #[test]
    fn what_no_filter_keeps_is_left_out_and_nothing_else() {
        let (public, private) = (key("192.0.2.1"), key("10.0.0.2"));
        let rejected = Key { rejected: true, ..public };
        let silent = Key { status: Status::NoData, ..public };
        let undirected = Key { direction: Direction::Unknown, ..public };
        let no_peer = Key { peer_addr: None, ..public };
        let keeps = |filter: Expr, key: &Key, class| {
            let mut narrowed = Narrowed::default();
            narrowed.learn(&filter);
            narrowed.may_keep(key, class)
        };
        let check = |filter: Expr, left_out: &[&Key]| {
            for key in [&public, &private, &rejected, &silent, &undirected, &no_peer] {
                assert_eq!(keeps(filter.clone(), key, None), !left_out.contains(&key), "{filter} {key:?}");
            }
        };
        check(col("bytes").gt(lit(1)), &[]);
        check(col("log_status").eq(lit("OK")), &[&silent]);
        check(col("log_status").in_list(vec![lit("OK"), lit("NODATA")], false), &[]);
        check(col("action").eq(lit("ACCEPT")), &[&silent, &rejected]);
        check(col("action").eq(lit("REJECT")), &[]);
        check(col("direction").is_not_null(), &[&undirected]);
        check(col("direction").eq(lit("egress")), &[&undirected]);
        check(col("direction").is_null(), &[]);
        check(col("nat_role").is_not_null(), &[&private, &rejected, &silent, &no_peer]);
        check(col("nat_role").is_not_null().and(col("direction").is_not_null()), &[&private, &rejected, &silent, &no_peer, &undirected]);
        for (class, kept) in [("A", true), ("B", false), ("C*", false), ("D*", true)] {
            assert_eq!(keeps(col("nat_role").eq(lit("gateway")), &private, Some(class)), kept, "{class}");
        }
    }
}
