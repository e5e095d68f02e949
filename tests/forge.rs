//! Files that lie: Parquet with one column, written field by field so that each claim in it can be false.
//!
//! Structures are those of `parquet.thrift` in Thrift's compact protocol.

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

const PLAIN: i64 = 0;
const RLE: i64 = 3;
const RLE_DICTIONARY: i64 = 8;
const INT64: i64 = 2;
const BYTE_ARRAY: i64 = 6;

/// A structure under construction; fields must ascend.
#[derive(Default)]
pub struct Thrift {
    out: Vec<u8>,
    last: u8,
}

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

impl Thrift {
    fn field(mut self, id: u8, kind: u8, bytes: &[u8]) -> Thrift {
        self.out.push((id - self.last) << 4 | kind);
        self.out.extend_from_slice(bytes);
        self.last = id;
        self
    }

    pub fn i32(self, id: u8, value: i64) -> Thrift {
        self.field(id, I32, &varint((value << 1 ^ value >> 63) as u64))
    }

    pub fn i64(self, id: u8, value: i64) -> Thrift {
        self.field(id, I64, &varint((value << 1 ^ value >> 63) as u64))
    }

    pub fn text(self, id: u8, text: &str) -> Thrift {
        self.field(id, BINARY, &[&varint(text.len() as u64), text.as_bytes()].concat())
    }

    pub fn inner(self, id: u8, inner: Thrift) -> Thrift {
        self.field(id, STRUCT, &inner.end())
    }

    /// A list that claims `count` elements of a type and holds what is given.
    pub fn list(self, id: u8, kind: u8, count: u64, elements: &[Vec<u8>]) -> Thrift {
        let head = if count < 15 { vec![(count as u8) << 4 | kind] } else { [vec![0xf0 | kind], varint(count)].concat() };
        self.field(id, LIST, &[head, elements.concat()].concat())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.out.push(0);
        self.out
    }
}

/// What a forged file says of itself.
#[derive(Clone)]
pub struct Forged {
    /// The column's name and physical type.
    pub column: (&'static str, i64),
    /// Whether the column is declared as text.
    pub is_utf8: bool,
    /// Pages with their headers.
    pub pages: Vec<u8>,
    /// 0 none, 1 Snappy, 2 gzip, 6 zstd.
    pub codec: i64,
    /// Rows of the file and of each row group.
    pub rows: i64,
    /// Groups around the column.
    pub depth: usize,
    /// Children that the innermost group claims.
    pub children: i64,
    /// Row groups, all on the same pages.
    pub groups: usize,
    /// Row groups that the footer claims.
    pub groups_claimed: Option<u64>,
    /// Where the pages are claimed to begin.
    pub offset: i64,
    /// How long they are claimed to be.
    pub length: Option<i64>,
}

impl Forged {
    /// A sound file of `rows` rows, each of `bytes` 7.
    pub fn sound(rows: usize) -> Forged {
        let values = 7_i64.to_le_bytes().repeat(rows);
        let pages = page(values.len() as i64, rows as i64, &values);
        Forged {
            column: ("bytes", INT64),
            is_utf8: false,
            pages,
            codec: 0,
            rows: rows as i64,
            depth: 0,
            children: 1,
            groups: 1,
            groups_claimed: None,
            offset: 4,
            length: None,
        }
    }

    /// `rows` times the same text, which stands in the file once.
    pub fn repeated(column: &'static str, is_utf8: bool, text: &str, rows: u64) -> Forged {
        let value = [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let run = [vec![1], varint(rows << 1), vec![0]].concat();
        let pages = [dictionary(1, &value), page_as(RLE_DICTIONARY, run.len() as i64, run.len() as i64, rows as i64, &run)].concat();
        Forged { column: (column, BYTE_ARRAY), is_utf8, pages, rows: rows as i64, ..Forged::sound(1) }
    }

    /// A sound file but for its pages.
    pub fn of(pages: Vec<u8>, codec: i64) -> Forged {
        Forged { pages, codec, ..Forged::sound(1) }
    }

    /// Returns the file.
    pub fn file(&self) -> Vec<u8> {
        let group = |children: i64| Thrift::default().i32(3, 0).text(4, "g").i32(5, children).end();
        let mut schema = vec![Thrift::default().text(4, "root").i32(5, if self.depth == 0 { self.children } else { 1 }).end()];
        schema.extend((0..self.depth).map(|at| group(if at + 1 == self.depth { self.children } else { 1 })));
        let column = Thrift::default().i32(1, self.column.1).i32(3, 0).text(4, self.column.0);
        schema.push(if self.is_utf8 { column.i32(6, 0).end() } else { column.end() });
        let length = self.length.unwrap_or(self.pages.len() as i64);
        let path: Vec<Vec<u8>> =
            (0..self.depth).map(|_| vec![1, b'g']).chain([[&[self.column.0.len() as u8], self.column.0.as_bytes()].concat()]).collect();
        let chunk = Thrift::default()
            .i32(1, self.column.1)
            .list(2, I32, 1, &[vec![0]])
            .list(3, BINARY, path.len() as u64, &path)
            .i32(4, self.codec)
            .i64(5, self.rows)
            .i64(6, length)
            .i64(7, length)
            .i64(9, self.offset);
        let column = Thrift::default().i64(2, self.offset).inner(3, chunk).end();
        let row_group = Thrift::default().list(1, STRUCT, 1, &[column]).i64(2, length).i64(3, self.rows).end();
        let groups = vec![row_group; self.groups];
        let footer = Thrift::default()
            .i32(1, 1)
            .list(2, STRUCT, schema.len() as u64, &schema)
            .i64(3, self.rows.saturating_mul(self.groups as i64))
            .list(4, STRUCT, self.groups_claimed.unwrap_or(groups.len() as u64), &groups)
            .end();
        ended(&[b"PAR1", &self.pages[..], &footer].concat(), footer.len() as u32)
    }
}

/// Adds the end of a Parquet file, with the length that its footer is claimed to have.
pub fn ended(file: &[u8], footer: u32) -> Vec<u8> {
    [file, &footer.to_le_bytes(), b"PAR1"].concat()
}

/// A data page of version 1, plain.
pub fn page(uncompressed: i64, values: i64, body: &[u8]) -> Vec<u8> {
    page_of(uncompressed, body.len() as i64, values, body)
}

/// The same with a claimed stored size.
pub fn page_of(uncompressed: i64, compressed: i64, values: i64, body: &[u8]) -> Vec<u8> {
    page_as(PLAIN, uncompressed, compressed, values, body)
}

fn page_as(encoding: i64, uncompressed: i64, compressed: i64, values: i64, body: &[u8]) -> Vec<u8> {
    let data = Thrift::default().i32(1, values).i32(2, encoding).i32(3, RLE).i32(4, RLE);
    [Thrift::default().i32(1, 0).i32(2, uncompressed).i32(3, compressed).inner(5, data).end(), body.to_vec()].concat()
}

/// A dictionary page that claims `values` values.
pub fn dictionary(values: i64, body: &[u8]) -> Vec<u8> {
    let size = body.len() as i64;
    let inner = Thrift::default().i32(1, values).i32(2, 0);
    [Thrift::default().i32(1, 2).i32(2, size).i32(3, size).inner(7, inner).end(), body.to_vec()].concat()
}
