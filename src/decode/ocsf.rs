//! Security Lake's records → flow records: OCSF class 4001 (Network Activity) mapped back to AWS's fields.
//!
//! Source version 1 is OCSF 1.0.0-rc.2, version 2 is 1.1.0 (Security Lake user guide, "Open Cybersecurity Schema
//! Framework"); the mapping is that of OCSF's published examples for VPC Flow Logs. OCSF has no place for `srcaddr` where it
//! differs from the packet's address but `intermediate_ips`, and none for the fields of version 8 and later.

use super::records::LINE_LEN_MAX;
use super::values::Values;
use crate::flow::field::{FieldId, id};
use crate::flow::{Column, Layout, Separator};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::error::ArrowError;

/// The class of flow records: Network Activity.
const CLASS: i64 = 4001;

/// Root columns that records are made of.
const ROOTS: [&str; 18] = [
    "action",
    "action_id",
    "class_uid",
    "cloud",
    "connection_info",
    "disposition",
    "disposition_id",
    "dst_endpoint",
    "end_time",
    "end_time_dt",
    "metadata",
    "src_endpoint",
    "start_time",
    "start_time_dt",
    "status_code",
    "time",
    "traffic",
    "unmapped",
];

/// Fields that OCSF keeps by name under `unmapped`.
const UNMAPPED: [FieldId; 12] = [
    id::SUBLOCATION_TYPE,
    id::SUBLOCATION_ID,
    id::ECS_CLUSTER_ARN,
    id::ECS_CLUSTER_NAME,
    id::ECS_CONTAINER_INSTANCE_ARN,
    id::ECS_CONTAINER_INSTANCE_ID,
    id::ECS_CONTAINER_ID,
    id::ECS_SECOND_CONTAINER_ID,
    id::ECS_SERVICE_NAME,
    id::ECS_TASK_DEFINITION_ARN,
    id::ECS_TASK_ARN,
    id::ECS_TASK_ID,
];

/// Fields with a place of their own in OCSF.
const MAPPED: [FieldId; 27] = [
    id::VERSION,
    id::ACCOUNT_ID,
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::SRCPORT,
    id::DSTPORT,
    id::PROTOCOL,
    id::PACKETS,
    id::BYTES,
    id::START,
    id::END,
    id::ACTION,
    id::LOG_STATUS,
    id::VPC_ID,
    id::SUBNET_ID,
    id::INSTANCE_ID,
    id::TCP_FLAGS,
    id::TYPE,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::REGION,
    id::AZ_ID,
    id::PKT_SRC_AWS_SERVICE,
    id::PKT_DST_AWS_SERVICE,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
];

/// Names and values of one row.
pub type Pairs = Vec<(String, String)>;

/// Returns whether columns are those of OCSF.
pub fn is_ocsf(names: &[&str]) -> bool {
    ["class_uid", "metadata"].iter().all(|name| names.contains(name))
}

/// Returns whether a root column is needed.
pub fn reads(name: &str) -> bool {
    ROOTS.contains(&name)
}

/// Returns the columns that records are mapped back to.
pub fn layout() -> Layout {
    let fields = MAPPED.iter().chain(&UNMAPPED).map(|field| Column::Known(*field));
    Layout { columns: fields.collect(), separator: Separator::Spaces }
}

/// The records of a batch, in the columns of [`layout`].
#[derive(Debug)]
pub struct Mapped {
    /// One entry for each column.
    pub columns: Vec<Values>,
    /// For each row, what `unmapped` holds and no field takes.
    pub rest: Vec<Pairs>,
    class: Values,
}

impl Mapped {
    /// Returns the class of a row if it is another than that of flow records.
    pub fn other_class(&self, row: usize) -> Option<i64> {
        self.class.number(row).filter(|class| *class != CLASS)
    }
}

/// Collects the pairs of a row, up to as many as show that it is too long for a record.
fn bounded(pairs: impl Iterator<Item = (String, String)>) -> Pairs {
    let mut len = 0;
    let within = |(name, value): &(String, String)| {
        let goes_on = len <= LINE_LEN_MAX;
        len += name.len() + value.len() + 1;
        goes_on
    };
    pairs.take_while(within).collect()
}

/// Maps a batch.
///
/// # Errors
/// If a column cannot be read.
pub fn map(batch: &RecordBatch) -> Result<Mapped, ArrowError> {
    let source = Source { batch };
    let ends = Ends::new(&source)?;
    let mut rest = source.unmapped()?;
    let column = |field: FieldId| -> Result<Values, ArrowError> {
        Ok(match field {
            id::VERSION => source.get(&["metadata", "product", "version"], field)?,
            id::ACCOUNT_ID => source.first(&[&["cloud", "account", "uid"], &["cloud", "account_uid"]], field)?,
            id::REGION => source.get(&["cloud", "region"], field)?,
            id::AZ_ID => source.get(&["cloud", "zone"], field)?,
            id::START => source.first(&[&["start_time"], &["start_time_dt"], &["time"]], field)?,
            id::END => source.first(&[&["end_time"], &["end_time_dt"]], field)?,
            id::SRCPORT => source.get(&["src_endpoint", "port"], field)?,
            id::DSTPORT => source.get(&["dst_endpoint", "port"], field)?,
            id::PROTOCOL => source.get(&["connection_info", "protocol_num"], field)?,
            id::TCP_FLAGS => source.get(&["connection_info", "tcp_flags"], field)?,
            id::TYPE => source.texts(|row| ends.version.text(row))?,
            id::PACKETS => source.get(&["traffic", "packets"], field)?,
            id::BYTES => source.get(&["traffic", "bytes"], field)?,
            id::LOG_STATUS => source.get(&["status_code"], field)?,
            id::ACTION => source.action()?,
            id::FLOW_DIRECTION => source.texts(|row| ends.direction(row))?,
            id::TRAFFIC_PATH => source.numbers(|row| ends.traffic_path(row)),
            id::PKT_SRCADDR => source.get(&["src_endpoint", "ip"], field)?,
            id::PKT_DSTADDR => source.get(&["dst_endpoint", "ip"], field)?,
            id::SRCADDR => source.address("src_endpoint")?,
            id::DSTADDR => source.address("dst_endpoint")?,
            id::INTERFACE_ID => source.own(&ends, "interface_uid")?,
            id::INSTANCE_ID => source.own(&ends, "instance_uid")?,
            id::SUBNET_ID => source.own(&ends, "subnet_uid")?,
            id::VPC_ID => source.own(&ends, "vpc_uid")?,
            id::PKT_SRC_AWS_SERVICE => source.get(&["src_endpoint", "svc_name"], field)?,
            id::PKT_DST_AWS_SERVICE => source.get(&["dst_endpoint", "svc_name"], field)?,
            _ => source.texts(|row| {
                rest.get(row)?.iter().find(|(key, _)| FieldId::by_any_name(key) == Some(field)).map(|(_, value)| value.clone())
            })?,
        })
    };
    let columns = MAPPED.iter().chain(&UNMAPPED).map(|field| column(*field)).collect::<Result<Vec<_>, _>>()?;
    let is_taken = |key: &str| FieldId::by_any_name(key).is_some_and(|field| UNMAPPED.contains(&field));
    rest.iter_mut().for_each(|pairs| pairs.retain(|(key, _)| !is_taken(key)));
    Ok(Mapped { columns, rest, class: source.get(&["class_uid"], id::VERSION)? })
}

/// What decides which end is the interface's.
struct Ends {
    direction: Values,
    direction_id: Values,
    boundary_id: Values,
    version: Values,
}

impl Ends {
    fn new(source: &Source<'_>) -> Result<Ends, ArrowError> {
        let of = |name| source.get(&["connection_info", name], id::TYPE);
        Ok(Ends {
            direction: of("direction")?,
            direction_id: of("direction_id")?,
            boundary_id: of("boundary_id")?,
            version: of("protocol_ver")?,
        })
    }

    fn direction(&self, row: usize) -> Option<String> {
        let named = match self.direction.text(row).as_deref() {
            Some("Inbound") => "ingress",
            Some("Outbound") => "egress",
            _ => match self.direction_id.number(row)? {
                1 => "ingress",
                2 => "egress",
                _ => return None,
            },
        };
        Some(named.to_owned())
    }

    /// OCSF's boundaries 4 to 11 are AWS's codes 1 to 8; 99 (other) is no code.
    fn traffic_path(&self, row: usize) -> Option<i64> {
        self.boundary_id.number(row).filter(|boundary| (4..=11).contains(boundary)).map(|boundary| boundary - 3)
    }
}

struct Source<'a> {
    batch: &'a RecordBatch,
}

impl Source<'_> {
    /// Returns a nested column; nothing where it does not exist.
    fn array(&self, path: &[&str]) -> Result<Option<ArrayRef>, ArrowError> {
        let Some((root, path)) = path.split_first() else { return Ok(None) };
        let mut array = self.batch.column_by_name(root).cloned();
        for name in path {
            let Some(parent) = array.as_ref().and_then(|array| array.as_any().downcast_ref::<StructArray>()) else { return Ok(None) };
            let Some(child) = parent.column_by_name(name) else { return Ok(None) };
            // A value within a missing structure is missing too.
            let nulls = NullBuffer::union(parent.nulls(), child.nulls());
            array = Some(make_array(child.to_data().into_builder().nulls(nulls).build()?));
        }
        Ok(array)
    }

    fn get(&self, path: &[&str], field: FieldId) -> Result<Values, ArrowError> {
        self.array(path)?.map_or_else(|| Ok(Values::default()), |array| Values::new(&array, Some(field)))
    }

    /// Returns in each row the first of several columns that holds anything there.
    fn first(&self, paths: &[&[&str]], field: FieldId) -> Result<Values, ArrowError> {
        let mut holding = Vec::new();
        for path in paths {
            if let Some(array) = self.array(path)?
                && array.logical_null_count() < array.len()
            {
                holding.push(array);
            }
        }
        match holding.as_slice() {
            [] => Ok(Values::default()),
            [one] => Values::new(one, Some(field)),
            several => {
                let several = several.iter().map(|array| Values::new(array, Some(field))).collect::<Result<Vec<_>, _>>()?;
                self.texts(|row| several.iter().find_map(|values| values.text(row)))
            }
        }
    }

    fn texts(&self, of: impl FnMut(usize) -> Option<String>) -> Result<Values, ArrowError> {
        Ok(Values::of_texts((0..self.batch.num_rows()).map(of).collect()))
    }

    fn numbers(&self, of: impl FnMut(usize) -> Option<i64>) -> Values {
        Values::of_numbers((0..self.batch.num_rows()).map(of).collect())
    }

    /// The recording interface is the source of what leaves and the destination of what comes in.
    fn own(&self, ends: &Ends, name: &str) -> Result<Values, ArrowError> {
        let [source, destination] = [self.get(&["src_endpoint", name], id::TYPE)?, self.get(&["dst_endpoint", name], id::TYPE)?];
        self.texts(|row| match ends.direction(row).as_deref() {
            Some("egress") => source.text(row),
            Some("ingress") => destination.text(row),
            _ => source.text(row).or_else(|| destination.text(row)),
        })
    }

    /// The interface's address is that of the packet unless another one stands between.
    fn address(&self, end: &str) -> Result<Values, ArrowError> {
        let packet = self.get(&[end, "ip"], id::SRCADDR)?;
        let between = self.array(&[end, "intermediate_ips"])?;
        let lists = between.as_ref().and_then(|array| array.as_list_opt::<i32>());
        let mut first = Vec::with_capacity(self.batch.num_rows());
        for row in 0..self.batch.num_rows() {
            let list = lists.filter(|lists| lists.is_valid(row)).map(|lists| lists.value(row)).filter(|list| !list.is_empty());
            let address = list.map(|list| Values::new(&list, Some(id::SRCADDR))).transpose()?.and_then(|values| values.text(0));
            first.push(address.or_else(|| packet.text(row)));
        }
        self.texts(|row| first.get(row).cloned().flatten())
    }

    fn action(&self) -> Result<Values, ArrowError> {
        let names = self.first(&[&["action"], &["disposition"]], id::ACTION)?;
        let ids = self.first(&[&["action_id"], &["disposition_id"]], id::ACTION)?;
        self.texts(|row| {
            let name = names.text(row);
            Some(match (name.as_deref(), ids.number(row)) {
                (Some("Allowed"), _) | (None, Some(1)) => "ACCEPT".to_owned(),
                (Some("Denied" | "Blocked"), _) | (None, Some(2)) => "REJECT".to_owned(),
                // Whatever else it says is not an action, and is rejected as such.
                (other, _) => return other.filter(|name| !matches!(*name, "Other" | "Unknown")).map(str::to_owned),
            })
        })
    }

    /// Returns the names and values of `unmapped` in each row: a map, or a structure.
    fn unmapped(&self) -> Result<Vec<Pairs>, ArrowError> {
        let rows = self.batch.num_rows();
        let Some(array) = self.batch.column_by_name("unmapped") else { return Ok(vec![Vec::new(); rows]) };
        if let Some(maps) = array.as_map_opt() {
            let (keys, values) = (Values::new(maps.keys(), None)?, Values::new(maps.values(), None)?);
            let pair = |at: usize| Some((keys.text(at)?, values.text(at)?));
            let row = |row: usize| {
                let range = maps.value_offsets().get(row).zip(maps.value_offsets().get(row + 1)).filter(|_| maps.is_valid(row));
                bounded(range.map(|(from, to)| *from as usize..*to as usize).unwrap_or_default().filter_map(pair))
            };
            return Ok((0..rows).map(row).collect());
        }
        if let Some(structure) = array.as_struct_opt() {
            let names = structure.column_names();
            let columns = structure.columns().iter().map(|column| Values::new(column, None)).collect::<Result<Vec<_>, _>>()?;
            let row = |row: usize| {
                let pairs = names.iter().zip(&columns).filter(|_| structure.is_valid(row));
                bounded(pairs.filter_map(|(name, values)| Some(((*name).to_owned(), values.text(row)?))))
            };
            return Ok((0..rows).map(row).collect());
        }
        let texts = Values::new(array, None)?;
        Ok((0..rows).map(|row| texts.text(row).map(|text| ("unmapped".to_owned(), text)).into_iter().collect()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    /// Rows whose direction and time stand in different places.
    fn batch() -> RecordBatch {
        let text = |values: [Option<&str>; 3]| Arc::new(StringArray::from_iter(values)) as ArrayRef;
        let number = |values: [Option<i64>; 3]| Arc::new(Int64Array::from_iter(values)) as ArrayRef;
        let of = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
        let direction = text([None, Some("Inbound"), Some("Unknown")]);
        let direction_id = number([Some(2), Some(2), Some(1)]);
        let info = StructArray::from(vec![(of("direction", &direction), direction), (of("direction_id", &direction_id), direction_id)]);
        assert!(matches!(info.data_type(), DataType::Struct(_)));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("connection_info", Arc::new(info)),
            ("start_time", number([Some(1_418_530_010_000), None, None])),
            ("time", number([Some(7), Some(1_418_530_020_000), None])),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn column(field: FieldId) -> Vec<Option<String>> {
        let at = MAPPED.iter().position(|mapped| *mapped == field).unwrap();
        let mapped = map(&batch()).unwrap();
        (0..3).map(|row| mapped.columns[at].text(row)).collect()
    }

    #[test]
    fn a_row_has_its_direction_from_the_name_or_else_the_number() {
        assert_eq!(column(id::FLOW_DIRECTION), [Some("egress"), Some("ingress"), Some("ingress")].map(|text| text.map(str::to_owned)));
    }

    #[test]
    fn the_interface_is_at_the_end_that_the_direction_says_and_nowhere_else() {
        let text = |values: [Option<&str>; 4]| Arc::new(StringArray::from_iter(values)) as ArrayRef;
        let nested = |name: &str, array: ArrayRef| {
            Arc::new(StructArray::from(vec![(Arc::new(Field::new(name, array.data_type().clone(), true)), array)])) as ArrayRef
        };
        let batch = RecordBatch::try_from_iter([
            ("connection_info", nested("direction", text([Some("Outbound"), Some("Outbound"), Some("Inbound"), None]))),
            ("src_endpoint", nested("interface_uid", text([Some("eni-1"), None, Some("eni-2"), None]))),
            ("dst_endpoint", nested("interface_uid", text([Some("eni-3"), Some("eni-4"), None, Some("eni-5")]))),
        ]);
        let mapped = map(&batch.unwrap()).unwrap();
        let at = MAPPED.iter().position(|mapped| *mapped == id::INTERFACE_ID).unwrap();
        let found: Vec<_> = (0..4).map(|row| mapped.columns[at].text(row)).collect();
        assert_eq!(found, some(&["eni-1", "-", "-", "eni-5"]));
    }

    #[test]
    fn only_as_many_pairs_are_kept_as_show_that_a_row_is_too_long() {
        let kept = |name: usize, value: usize| bounded((0..99).map(|_| ("n".repeat(name), "v".repeat(value)))).len();
        // A quarter of the limit and one more; with one less, four are the limit itself and a fifth is looked at.
        assert_eq!((kept(10, LINE_LEN_MAX / 4 - 10), kept(10, LINE_LEN_MAX / 4 - 11)), (4, 5));
        assert_eq!((kept(LINE_LEN_MAX, 0), kept(1, 0)), (1, 99));
    }

    /// Rows of one column of OCSF, nested as its path says, mapped to a field.
    fn mapped(path: &[&str], array: ArrayRef, field: FieldId) -> Vec<Option<String>> {
        let rows = array.len();
        let nested = path.iter().skip(1).rev().fold(array, |child, name| {
            let field = Arc::new(Field::new(*name, child.data_type().clone(), true));
            Arc::new(StructArray::from(vec![(field, child)]))
        });
        let mapped = map(&RecordBatch::try_from_iter([(path[0], nested)]).unwrap()).unwrap();
        let at = MAPPED.iter().chain(&UNMAPPED).position(|mapped| *mapped == field).unwrap();
        (0..rows).map(|row| mapped.columns[at].text(row)).collect()
    }

    fn some(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| Some((*value).to_owned()).filter(|value| value != "-")).collect()
    }

    #[test]
    fn each_field_stands_in_its_place() {
        let text = || Arc::new(StringArray::from(vec!["7"])) as ArrayRef;
        let check = |path: &[&str], field: FieldId| assert_eq!(mapped(path, text(), field), some(&["7"]), "{path:?}");
        check(&["metadata", "product", "version"], id::VERSION);
        check(&["cloud", "account", "uid"], id::ACCOUNT_ID);
        check(&["cloud", "account_uid"], id::ACCOUNT_ID);
        check(&["cloud", "region"], id::REGION);
        check(&["cloud", "zone"], id::AZ_ID);
        check(&["start_time_dt"], id::START);
        check(&["time"], id::START);
        check(&["end_time"], id::END);
        check(&["end_time_dt"], id::END);
        check(&["connection_info", "protocol_num"], id::PROTOCOL);
        check(&["connection_info", "tcp_flags"], id::TCP_FLAGS);
        check(&["connection_info", "protocol_ver"], id::TYPE);
        check(&["traffic", "packets"], id::PACKETS);
        check(&["traffic", "bytes"], id::BYTES);
        check(&["status_code"], id::LOG_STATUS);
        for (end, port, address, packet, service) in [
            ("src_endpoint", id::SRCPORT, id::SRCADDR, id::PKT_SRCADDR, id::PKT_SRC_AWS_SERVICE),
            ("dst_endpoint", id::DSTPORT, id::DSTADDR, id::PKT_DSTADDR, id::PKT_DST_AWS_SERVICE),
        ] {
            [("port", port), ("ip", address), ("ip", packet), ("svc_name", service)]
                .into_iter()
                .for_each(|(name, field)| check(&[end, name], field));
            // Without a direction, whichever end names the interface.
            let own = [
                ("interface_uid", id::INTERFACE_ID),
                ("instance_uid", id::INSTANCE_ID),
                ("subnet_uid", id::SUBNET_ID),
                ("vpc_uid", id::VPC_ID),
            ];
            own.into_iter().for_each(|(name, field)| check(&[end, name], field));
        }
        let numbers = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let path = mapped(&["connection_info", "boundary_id"], numbers(&[3, 4, 11, 12, 99]), id::TRAFFIC_PATH);
        assert_eq!(path, some(&["-", "1", "8", "-", "-"]));
        let direction = mapped(&["connection_info", "direction_id"], numbers(&[0, 1, 2, 3]), id::FLOW_DIRECTION);
        assert_eq!(direction, some(&["-", "ingress", "egress", "-"]));
        let named = mapped(
            &["connection_info", "direction"],
            Arc::new(StringArray::from(vec!["Inbound", "Outbound", "Lateral"])),
            id::FLOW_DIRECTION,
        );
        assert_eq!(named, some(&["ingress", "egress", "-"]));
    }

    #[test]
    fn actions_go_by_name_then_by_number() {
        for name in ["action", "disposition"] {
            let names = Arc::new(StringArray::from(vec!["Allowed", "Denied", "Blocked", "Other", "Unknown", "Dropped"]));
            assert_eq!(mapped(&[name], names, id::ACTION), some(&["ACCEPT", "REJECT", "REJECT", "-", "-", "Dropped"]));
        }
        for name in ["action_id", "disposition_id"] {
            let ids = Arc::new(Int64Array::from(vec![0, 1, 2, 99]));
            assert_eq!(mapped(&[name], ids, id::ACTION), some(&["-", "ACCEPT", "REJECT", "-"]));
        }
    }

    #[test]
    fn the_interface_stands_at_the_end_that_the_direction_says() {
        let text = |values: [&str; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let structure = |name: &str, values| {
            let values = text(values);
            Arc::new(StructArray::from(vec![(Arc::new(Field::new(name, DataType::Utf8, true)), values)])) as ArrayRef
        };
        let batch = RecordBatch::try_from_iter([
            ("connection_info", structure("direction", ["Inbound", "Outbound", "-", "-"])),
            ("src_endpoint", structure("interface_uid", ["s1", "s2", "s3", "-"])),
            ("dst_endpoint", structure("interface_uid", ["d1", "d2", "d3", "d4"])),
            ("class_uid", Arc::new(Int64Array::from(vec![4_001, 4_002, 0, 4_001])) as ArrayRef),
        ])
        .unwrap();
        let mapped = map(&batch).unwrap();
        let at = MAPPED.iter().position(|field| *field == id::INTERFACE_ID).unwrap();
        assert_eq!([0, 1, 2, 3].map(|row| mapped.columns[at].text(row)).to_vec(), some(&["d1", "s2", "s3", "d4"]));
        assert_eq!([0, 1, 2, 3].map(|row| mapped.other_class(row)), [None, Some(4_002), Some(0), None]);
        assert!(is_ocsf(&["class_uid", "metadata"]) && !is_ocsf(&["class_uid"]) && !is_ocsf(&["metadata", "class"]));
        assert!(ROOTS.into_iter().all(reads) && !reads("observables"));
        assert_eq!(layout().columns.len(), MAPPED.len() + UNMAPPED.len());
    }

    #[test]
    fn what_ocsf_does_not_map_stands_beside_but_what_is_a_field_in_its_column() {
        let texts = |values: [Option<&str>; 2]| Arc::new(StringArray::from_iter(values)) as ArrayRef;
        let of = |name: &str, array: ArrayRef| (Arc::new(Field::new(name, DataType::Utf8, true)), array);
        let structure =
            StructArray::from(vec![of("sublocation_id", texts([Some("loc-1"), None])), of("new-field", texts([Some("x"), Some("y")]))]);
        let mut builder = arrow::array::MapBuilder::new(None, arrow::array::StringBuilder::new(), arrow::array::StringBuilder::new());
        for pairs in [&[("sublocation-id", "loc-1"), ("new-field", "x")][..], &[("new-field", "y")]] {
            for (key, value) in pairs {
                builder.keys().append_value(key);
                builder.values().append_value(value);
            }
            builder.append(true).unwrap();
        }
        for unmapped in [Arc::new(structure) as ArrayRef, Arc::new(builder.finish())] {
            let mapped = map(&RecordBatch::try_from_iter([("unmapped", unmapped)]).unwrap()).unwrap();
            let at = MAPPED.len() + UNMAPPED.iter().position(|field| *field == id::SUBLOCATION_ID).unwrap();
            assert_eq!([0, 1].map(|row| mapped.columns[at].text(row)), [Some("loc-1".to_owned()), None]);
            assert_eq!(mapped.rest, ["x", "y"].map(|value| vec![("new-field".to_owned(), value.to_owned())]));
        }
        let plain = map(&RecordBatch::try_from_iter([("unmapped", texts([Some("as it is"), None]))]).unwrap()).unwrap();
        assert_eq!(plain.rest, [vec![("unmapped".to_owned(), "as it is".to_owned())], vec![]]);
    }

    #[test]
    fn a_row_has_its_time_from_the_first_column_that_holds_one_in_this_row() {
        assert_eq!(column(id::START), [Some("1418530010000"), Some("1418530020000"), None].map(|text| text.map(str::to_owned)));
    }
}
