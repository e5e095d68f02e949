//! Any JSON as inventory: files of one snapshot and the next, then every look-up.
//!
//! A NUL separates the files. Properties: the order of the files changes nothing; every look-up answers; what an interface's own
//! entry says is found again.
#![no_main]

use flowproof::inventory::{File, Inventory, Options, check, tables, tables_at};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;

const PATHS: [&str; 4] = [
    "2026-10-01T000000Z/111122223333/eu-central-1/a.json",
    "2026-10-02T000000Z/111122223333/eu-central-1/k8s-prod/b.json",
    "c.json",
    "2026-10-02T000000Z/222233334444/d.json",
];
const T: i64 = 1_790_848_800;

fuzz_target!(|data: &[u8]| {
    let text = |part: &[u8]| bytes::Bytes::copy_from_slice(part);
    let files: Vec<File> =
        data.split(|byte| *byte == 0).zip(PATHS).map(|(part, path)| File { path: path.to_owned(), bytes: text(part) }).collect();
    let reversed: Vec<File> = files.iter().rev().cloned().collect();
    let inventory = match (Inventory::from_files(files, &Options::default()), Inventory::from_files(reversed, &Options::default())) {
        (Ok(inventory), Ok(again)) => {
            assert_eq!(tables(&inventory), tables(&again));
            assert_eq!(inventory.warnings(), again.warnings());
            inventory
        }
        (Err(fault), Err(again)) => {
            assert_eq!(fault.to_string(), again.to_string());
            assert!(fault.to_string().contains(".json"), "the file is named: {fault}");
            return;
        }
        (one, other) => panic!("{:?} {:?}", one.err(), other.err()),
    };
    let now = tables_at(&inventory, T);
    assert_eq!(now.len(), tables(&inventory).len());
    assert!(!check(&inventory).is_empty());
    let addrs: Vec<IpAddr> =
        ["10.0.1.37", "10.20.11.10", "2001:db8::1", "198.51.100.80"].iter().map(|addr| addr.parse().expect("an address")).collect();
    for (index, eni) in inventory.enis().iter().enumerate().take(64) {
        assert_eq!(inventory.eni_index(&eni.id), Some(index as u32));
        inventory.eni_name(eni);
        for addr in &addrs {
            inventory.peer(Some(index as u32), None, *addr, T);
        }
    }
    for addr in addrs {
        inventory.peer(None, Some("vpc-0c0de000000000001"), addr, T);
        inventory.aws_ranges(addr);
        for cluster in 0..inventory.clusters().len().min(8) as u32 {
            inventory.is_configured_listener(cluster, addr, 9_443);
            inventory.destination(cluster, 0, addr, 9_443, 6, T, None);
        }
    }
    for log in inventory.flow_logs().iter().take(8) {
        inventory.flow_log_may_cover(&log.item.id, &|_| true);
    }
});
