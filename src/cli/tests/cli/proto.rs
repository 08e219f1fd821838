//! A strict reader of protobuf's wire format, by its description alone: varints and length-delimited fields, which are all
//! that pprof's has.

/// The fields of a message in their order.
#[derive(Clone, Debug)]
pub struct Message {
    pub fields: Vec<(u64, Value)>,
}

#[derive(Clone, Debug)]
pub enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        assert!(shift < 70, "a varint of more than ten bytes");
        let (first, rest) = bytes.split_first().expect("the end of a varint");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

pub fn decode(mut bytes: &[u8]) -> Message {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        assert_ne!(key >> 3, 0, "field numbers begin at 1");
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            2 => {
                let len = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(len);
                bytes = rest;
                Value::Bytes(value.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    Message { fields }
}

impl Message {
    pub fn bytes(&self, field: u64) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |(number, _)| *number == field).map(|(number, value)| match value {
            Value::Bytes(bytes) => bytes.as_slice(),
            Value::Number(_) => panic!("field {number} is a number"),
        })
    }

    pub fn messages(&self, field: u64) -> impl Iterator<Item = Message> {
        self.bytes(field).map(decode)
    }

    /// 0 where it is left out.
    pub fn number(&self, field: u64) -> u64 {
        let mut found = self.fields.iter().filter(|(number, _)| *number == field);
        let value = match found.next() {
            Some((_, Value::Number(value))) => *value,
            Some(_) => panic!("field {field} is no number"),
            None => 0,
        };
        assert!(found.next().is_none(), "field {field} stands twice");
        value
    }

    /// Repeated numbers, all in one field.
    pub fn packed(&self, field: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        for mut bytes in self.bytes(field) {
            while !bytes.is_empty() {
                numbers.push(varint(&mut bytes));
            }
        }
        numbers
    }
}
