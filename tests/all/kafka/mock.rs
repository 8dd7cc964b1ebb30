//! The sink against librdkafka's mock of a cluster, for what a broker without rights and neighbours does not do.

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};

use aludel::event::OptionValue;

use super::rows::{bodies, plan};
use super::sink::ship;

/// Errors that pass are the client's to sit out; a missing right is said, and held until it is there. Nothing is lost.
#[test]
fn missing_rights_hold_and_are_said() {
    let cluster = MockCluster::new(3).expect("a mock");
    cluster.create_topic("rights", 2, 1).expect("a topic");
    let options = [("transactions", OptionValue::Bool(false))];
    let plan = plan(&cluster.bootstrap_servers(), "rights", &options);
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[
            Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        ],
    );
    let total = ship("rights", &*plan, bodies(&*plan, 0, 4, 50, &|n| n as usize % 90), &|_| false);
    assert_eq!((total.delivered, total.rejected.len()), (200, 0), "{total:?}");
    assert!(total.said.iter().any(|line| line.contains("authorization failed")), "{total:?}");
}
