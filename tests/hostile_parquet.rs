//! Hostile Parquet, and records as long as they may be: what a file claims is not believed, and what little of it stands for
//! much does not fill memory. Scenes are those of `hostile.rs`.

use crate::forge::{Forged, dictionary, ended, page, page_of};
use crate::hostile::{HEADER, Scene, gzip, gzip_bomb, noise, noise_bytes, records};
use serde_json::json;

/// A file as the generator of honest ones writes it, in two row groups with several pages each.
fn parquet(rows: usize) -> Vec<u8> {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::WriterProperties;
    use std::sync::Arc;
    let numbers = |of: fn(i64) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..rows as i64).map(of))) };
    let texts = |of: fn(usize) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(of))) };
    let columns = [
        ("interface_id", texts(|row| format!("eni-{row:017}"))),
        ("srcaddr", texts(|row| format!("10.0.{}.{}", row / 250 % 250, row % 250))),
        ("bytes", numbers(|row| row * 97)),
        ("packets", numbers(|row| row)),
        ("start", numbers(|row| 1_790_848_800 + row / 100)),
        ("log_status", texts(|_| "OK".to_owned())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(rows / 2))
        .set_data_page_row_count_limit(rows / 6)
        .set_write_batch_size(64)
        .build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_forged_file_that_does_not_lie_is_read() {
    let scene = Scene::with("sound.parquet", &Forged::sound(5).file());
    assert_eq!(
        scene.sql("json", "SELECT sum(bytes) AS n FROM flows WHERE log_object LIKE '%sound.parquet'", &[]).exits(0).json()[0]["n"],
        35
    );
}

#[test]
fn footers_that_are_not_where_they_should_be() {
    let sound = Forged::sound(5).file();
    let body = &sound[..sound.len() - 8];
    for (name, bytes) in [
        ("length-0.parquet", ended(body, 0)),
        ("length-short.parquet", ended(body, 10)),
        ("length-long.parquet", ended(body, 1 << 20)),
        ("length-4gb.parquet", ended(body, u32::MAX)),
        ("no-end.parquet", body.to_vec()),
        ("other-end.parquet", [body, b"\x10\0\0\0PARE"].concat()),
        ("not-the-end.parquet", [&sound[..], b"\n"].concat()),
        ("magic-only.parquet", b"PAR1".to_vec()),
        ("twelve.parquet", b"PAR1\0\0\0\0PAR1".to_vec()),
        ("noise-footer.parquet", ended(&[b"PAR1", &noise_bytes(5, 5_000)[..]].concat(), 4_000)),
        ("zero-footer.parquet", ended(&[b"PAR1", &[0; 5_000][..]].concat(), 4_000)),
    ] {
        Scene::with(name, &bytes).is_incomplete(name, &["damaged after row 0"]);
    }
}

#[test]
fn a_footer_that_claims_more_than_there_is() {
    let sound = Forged::sound(5);
    for (name, forged, told) in [
        ("groups.parquet", Forged { groups_claimed: Some(i32::MAX as u64), ..sound.clone() }, "more elements than there are bytes"),
        ("children.parquet", Forged { children: i32::MAX.into(), ..sound.clone() }, "claims 2147483647 children"),
        ("children-below.parquet", Forged { children: -5, ..sound.clone() }, "claims -5 children"),
        ("deep.parquet", Forged { depth: 200_000, ..sound.clone() }, "nested more than 32 deep"),
        ("rows.parquet", Forged { rows: 1 << 50, ..sound.clone() }, "the footer claims 1125899906842624 rows"),
        ("rows-below.parquet", Forged { rows: -1, ..sound.clone() }, "claims -1 rows"),
        ("outside.parquet", Forged { offset: 1 << 40, ..sound.clone() }, "column 0 of row group 0 lies outside the file"),
        ("before.parquet", Forged { offset: -4, ..sound.clone() }, "column 0 of row group 0 lies outside the file"),
        ("long.parquet", Forged { length: Some(1 << 40), ..sound.clone() }, "column 0 of row group 0 lies outside the file"),
        ("length-below.parquet", Forged { length: Some(-1), ..sound.clone() }, "column 0 of row group 0 lies outside the file"),
        ("many.parquet", Forged { groups: 30_000, rows: 1 << 31, ..sound }, "the footer claims"),
    ] {
        Scene::with(name, &forged.file()).is_incomplete(name, &["row 0", told]);
    }
}

#[test]
fn rows_that_are_not_there() {
    // Believable numbers, but the pages hold five values.
    for rows in [6, 100_000] {
        let name = "fewer.parquet";
        Scene::with(name, &Forged { rows, ..Forged::sound(5) }.file()).is_incomplete(name, &["damaged after row"]);
    }
}

#[test]
fn a_page_that_claims_more_than_there_is() {
    const SNAPPY: i64 = 1;
    const GZIP: i64 = 2;
    const ZSTD: i64 = 6;
    let most = i64::from(i32::MAX);
    for (name, forged, told) in [
        ("4gb-snappy.parquet", Forged::of(page(most, 1, b"12345678"), SNAPPY), "2147483647 decompressed"),
        ("4gb-zstd.parquet", Forged::of(page(most, 1, b"12345678"), ZSTD), "2147483647 decompressed"),
        ("below.parquet", Forged::of(page(-1, 1, b"12345678"), SNAPPY), "-1 decompressed"),
        ("stored.parquet", Forged::of(page_of(8, most, 1, b"12345678"), 0), "2147483647 bytes stored"),
        ("stored-below.parquet", Forged::of(page_of(8, -8, 1, b"12345678"), 0), "-8 bytes stored"),
        ("values-below.parquet", Forged::of(page(8, -1, b"12345678"), 0), "-1 values"),
        ("dictionary.parquet", Forged::of(dictionary(most, b"12345678"), 0), "2147483647 values"),
        ("gzip-bomb.parquet", Forged::of(page(8, 1, &gzip(&vec![0; 256 << 20])), GZIP), "decompresses to more than 64 MiB"),
        ("noise.parquet", Forged::of(noise_bytes(6, 4_000), SNAPPY), "page at byte 4"),
    ] {
        Scene::with(name, &forged.file()).is_incomplete(name, &["damaged after row 0", "page at byte 4", told]);
    }
}

#[test]
fn rows_without_end_in_a_few_bytes() {
    // One million rows of one run each: rejected all, for they have neither status nor time; or taken all.
    let run = |rows: u64| [&4_u32.to_le_bytes()[..], &[0; 4], &crate::forge::varint(rows << 1), &[0]].concat();
    let forged = Forged { rows: 1_000_000, ..Forged::of(page(10, 1_000_000, &run(1_000_000)), 0) };
    Scene::with("runs.parquet", &forged.file()).is_incomplete("runs.parquet", &["damaged after row"]);
}

#[test]
fn one_long_value_in_every_row() {
    for is_utf8 in [true, false] {
        let scene = Scene::new();
        for (name, length) in [("short", 8), ("line", 7_500), ("long", 1 << 20), ("page", 60 << 20)] {
            scene.add(&format!("{name}.parquet"), &Forged::repeated("vpc_id", is_utf8, &"v".repeat(length), 20_000).file());
        }
        let statement = "SELECT count(*) AS n, count(DISTINCT vpc_id) AS texts FROM flows WHERE log_object NOT LIKE '%good.log'";
        assert_eq!(scene.sql("json", statement, &[]).exits(4).json()[0], json!({ "n": 40_000, "texts": 2 }));
        for name in ["long", "page"] {
            let first = format!("SELECT reason FROM rejects WHERE log_object LIKE '%{name}.parquet' ORDER BY log_line LIMIT 1");
            assert_eq!(scene.sql("json", &first, &[]).exits(4).json()[0]["reason"], "line-too-long");
        }
    }
}

#[test]
fn flipped_bits_in_parquet_never_panic_and_never_add_rows() {
    let sound = parquet(3_000);
    // The footer is where the lies are told, so half of the flips fall there.
    let footer = u32::from_le_bytes(sound[sound.len() - 8..sound.len() - 4].try_into().unwrap()) as usize + 8;
    let scene = Scene::new();
    for (at, number) in noise(12).take(300).enumerate() {
        let mut bytes = sound.clone();
        let place = if at % 2 == 0 { number as usize % sound.len() } else { sound.len() - 1 - number as usize % footer };
        bytes[place] ^= 1 << (number >> 60 & 7);
        scene.add(&format!("flip-{at:03}.parquet"), &bytes);
    }
    let statement = "SELECT log_object, count(*) AS n, count(DISTINCT log_line) AS lines FROM flows GROUP BY 1";
    let rows = scene.sql("json", statement, &[]).exits(4).json();
    for row in rows.as_array().unwrap() {
        assert!(row["n"].as_u64().unwrap() <= 3_000 && row["n"] == row["lines"], "{row}");
    }
    let objects = scene.objects(4);
    assert_eq!(objects.len(), 301);
    let damaged = objects.iter().filter(|object| object["status"] != "read").count();
    assert!(damaged > 50, "{damaged}");
    for object in &objects {
        // Without a checksum some flips change a name or a value and nothing else can tell; a row is never lost unsaid.
        let counted = object["records_ok"].as_u64().unwrap() + object["records_rejected"].as_u64().unwrap();
        let whole = object["log_object"].as_str().unwrap().ends_with("good.log") || object["status"] != "read";
        assert!(whole || counted == 3_000 && object["lines"] == 3_000, "{object}");
    }
    scene.good_rows_stand(4, None);
}

#[test]
fn records_whose_fields_are_as_long_as_a_line_may_be() {
    for (length, code) in [(7_500, 0), (11_000, 0), (60_000, 4)] {
        let scene = Scene::new();
        let record = format!("{}{}\n", records(1).replace('\n', " "), "v".repeat(length));
        gzip_bomb(
            &scene.logs().join("bomb.log.gz"),
            format!("{HEADER} vpc-id\n").as_bytes(),
            record.repeat(10).as_bytes(),
            60_000_000 / length as u64,
            &[],
        );
        // Operators that keep, join and sort batches of them.
        for statement in [
            "SELECT max(octet_length(vpc_id)) AS n FROM flows",
            "SELECT count(DISTINCT vpc_id) AS n FROM flows WHERE srcport > 1",
            "SELECT octet_length(vpc_id) FROM flows ORDER BY vpc_id, log_line DESC LIMIT 3",
        ] {
            scene.sql("json", statement, &[]).exits(code);
        }
        scene.good_rows_stand(code, None);
    }
}

/// What fuzzing found, each kept as it was found: a panic of a library is a fault of the object, and is not shown as a panic.
#[test]
fn findings_of_fuzzing_end_their_object_only() {
    let findings = std::fs::read_dir("tests/fuzz/findings").unwrap().map(|entry| entry.unwrap());
    for finding in findings {
        let name = finding.file_name().into_string().unwrap();
        let scene = Scene::with(&name, &std::fs::read(finding.path()).unwrap());
        // All columns are read here, the damaged one too.
        let objects = scene.objects(4);
        let found = objects.iter().find(|object| object["log_object"].as_str().unwrap().ends_with(&name)).unwrap();
        assert!(found["reason"].as_str().unwrap().starts_with("damaged after row"), "{found}");
        // Those that were small enough to be decoded in one go with it are whole.
        assert!(objects.len() > 1 && objects.iter().filter(|object| object["status"] != "read").count() == 1, "{objects:?}");
    }
}
