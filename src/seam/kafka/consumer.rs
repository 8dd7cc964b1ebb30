//! librdkafka as a [`Consumer`](super::Consumer) of a group.

/// A member of a consumer group.
pub struct GroupConsumer;
