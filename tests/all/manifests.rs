//! The deployment files in `docker/` say what this program does: ports, paths, probes, the pipelines in them.
//!
//! The structures name every key that the files use and refuse any other, so that a misspelt key, which a cluster
//! would drop or refuse, is an error here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The pages that the admin address answers besides `/metrics`.
const LIVE: &str = "/livez";
const READY: &str = "/readyz";
/// The admin port of `aludel run`.
const ADMIN_PORT: u16 = 9600;

fn docker() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docker")
}

fn text(name: &str) -> String {
    let path = docker().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents<T: DeserializeOwned>(name: &str) -> Vec<T> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|error| panic!("docker/{name}: {error}"))
}

fn only<T: DeserializeOwned>(name: &str) -> T {
    let mut all = documents(name);
    assert_eq!(all.len(), 1, "docker/{name} holds one document");
    all.remove(0)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DaemonSet {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    kind: String,
    metadata: Metadata,
    spec: DaemonSetSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DaemonSetSpec {
    selector: Selector,
    #[serde(rename = "updateStrategy")]
    _update_strategy: Value,
    template: Template,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    metadata: Metadata,
    spec: PodSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PodSpec {
    service_account_name: String,
    #[serde(rename = "automountServiceAccountToken")]
    _automount_service_account_token: bool,
    tolerations: Vec<Value>,
    #[serde(rename = "priorityClassName")]
    _priority_class_name: String,
    termination_grace_period_seconds: u64,
    #[serde(rename = "nodeSelector")]
    _node_selector: BTreeMap<String, String>,
    #[serde(rename = "securityContext")]
    _security_context: Value,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Container {
    #[serde(rename = "name")]
    _name: String,
    image: String,
    #[serde(rename = "imagePullPolicy")]
    _image_pull_policy: String,
    args: Vec<String>,
    env: Vec<Value>,
    ports: Vec<Port>,
    startup_probe: Probe,
    liveness_probe: Probe,
    readiness_probe: Probe,
    resources: Value,
    security_context: SecurityContext,
    volume_mounts: Vec<Mount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Port {
    name: String,
    container_port: u16,
    #[serde(rename = "protocol")]
    _protocol: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Probe {
    http_get: HttpGet,
    #[serde(rename = "periodSeconds")]
    _period_seconds: u32,
    #[serde(rename = "timeoutSeconds")]
    _timeout_seconds: Option<u32>,
    #[serde(rename = "failureThreshold")]
    _failure_threshold: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpGet {
    path: String,
    port: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SecurityContext {
    run_as_user: u32,
    #[serde(rename = "runAsGroup")]
    _run_as_group: u32,
    allow_privilege_escalation: bool,
    read_only_root_filesystem: bool,
    capabilities: Capabilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capabilities {
    drop: Vec<String>,
    add: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Mount {
    name: String,
    mount_path: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Volume {
    name: String,
    host_path: Option<HostPath>,
    config_map: Option<ConfigMapVolume>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostPath {
    path: String,
    #[serde(rename = "type")]
    _kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigMapVolume {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConfigMap {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    data: BTreeMap<String, String>,
}

fn daemon_set() -> DaemonSet {
    only("kubernetes/daemonset.yaml")
}

fn config_map() -> ConfigMap {
    only("kubernetes/configmap.yaml")
}

fn container() -> Container {
    let mut all = daemon_set().spec.template.spec.containers;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// The value after `flag` in a command line.
fn after<'a>(args: &'a [String], flag: &str) -> &'a str {
    let at = args.iter().position(|arg| arg == flag).unwrap_or_else(|| panic!("no {flag} in {args:?}"));
    args.get(at + 1).unwrap_or_else(|| panic!("nothing after {flag}"))
}

/// All YAML of `docker/` parses, and what belongs to a cluster is whole: kind, name, the one namespace.
#[test]
fn every_manifest_is_named_and_listed() {
    let kustomization: Value = only("kubernetes/kustomization.yaml");
    let listed: Vec<&str> = kustomization["resources"]
        .as_array()
        .expect("a list of resources")
        .iter()
        .map(|name| name.as_str().expect("a file name"))
        .collect();
    let mut files: Vec<String> = fs::read_dir(docker().join("kubernetes"))
        .expect("docker/kubernetes")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    files.sort();
    for name in &files {
        assert!(listed.contains(&name.as_str()), "{name} is not in kustomization.yaml");
        for document in documents::<Value>(&format!("kubernetes/{name}")) {
            let kind = document["kind"].as_str().unwrap_or_else(|| panic!("{name}: no kind"));
            assert!(document["apiVersion"].is_string(), "{name}: {kind} has no apiVersion");
            assert!(document["metadata"]["name"].is_string(), "{name}: {kind} has no name");
            let namespaced = !["Namespace", "ClusterRole", "ClusterRoleBinding"].contains(&kind);
            let namespace = document["metadata"]["namespace"].as_str();
            assert_eq!(namespace, namespaced.then_some("aludel"), "{name}: namespace of {kind}");
        }
    }
    assert_eq!(files.len(), listed.len(), "kustomization.yaml lists a file that is not there");
}

#[test]
fn probes_ask_pages_that_exist_on_the_port_that_listens() {
    let container = container();
    let port = container.ports.iter().find(|port| port.name == "metrics").expect("a port named metrics");
    assert_eq!(port.container_port, ADMIN_PORT);
    assert_eq!(after(&container.args, "--admin"), format!("0.0.0.0:{ADMIN_PORT}"));
    for (probe, page) in [
        (&container.startup_probe, LIVE),
        (&container.liveness_probe, LIVE),
        (&container.readiness_probe, READY),
    ] {
        assert_eq!(probe.http_get.path, page);
        assert_eq!(probe.http_get.port, port.name);
    }
    let annotations = daemon_set().spec.template.metadata.annotations;
    assert_eq!(annotations["prometheus.io/port"], ADMIN_PORT.to_string());
    assert_eq!(annotations["prometheus.io/path"], "/metrics");
}

#[test]
fn volumes_are_mounted_and_what_is_mounted_is_a_volume() {
    let container = container();
    let volumes = daemon_set().spec.template.spec.volumes;
    for volume in &volumes {
        let used = container.volume_mounts.iter().filter(|mount| mount.name == volume.name).count();
        assert_eq!(used, 1, "volume {} is mounted {used} times", volume.name);
        assert!(volume.host_path.is_some() != volume.config_map.is_some(), "volume {}", volume.name);
    }
    let data_dir = after(&container.args, "--data-dir");
    for mount in &container.volume_mounts {
        let volume = volumes.iter().find(|volume| volume.name == mount.name);
        let volume = volume.unwrap_or_else(|| panic!("mount {} has no volume", mount.name));
        if let Some(host) = &volume.host_path {
            // Links in /var/log/containers lead to paths of the host, so these must be the same inside.
            assert_eq!(host.path, mount.mount_path);
        }
        assert_eq!(
            mount.read_only,
            mount.mount_path != data_dir,
            "only the state is written: {}",
            mount.name
        );
    }
}

#[test]
fn the_pipeline_that_runs_is_the_one_in_the_config_map() {
    let container = container();
    let config_map = config_map();
    let volumes = daemon_set().spec.template.spec.volumes;
    let volume = volumes.iter().find(|volume| volume.config_map.is_some()).expect("a configMap volume");
    assert_eq!(volume.config_map.as_ref().expect("a configMap").name, config_map.metadata.name);
    assert_eq!(
        config_map.metadata.namespace,
        daemon_set().metadata.namespace,
        "a pod mounts of its own only"
    );
    let mount = container.volume_mounts.iter().find(|mount| mount.name == volume.name).expect("a mount");
    let file = container.args.last().expect("a pipeline file");
    let key = file.strip_prefix(&format!("{}/", mount.mount_path)).expect("the file is in the mount");
    let pipeline = config_map.data.get(key).unwrap_or_else(|| panic!("no {key} in the ConfigMap"));

    // The same words as in pipelines/, where they are tested; there the tests follow.
    let tested = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines").join(key);
    let tested = fs::read_to_string(tested).expect("pipelines/kubernetes.aludel");
    assert!(
        tested.starts_with(pipeline.trim_end()),
        "the ConfigMap and pipelines/{key} differ: bring them together"
    );
}

#[test]
fn it_may_read_every_log_and_do_nothing_else() {
    let security = container().security_context;
    assert_eq!(security.run_as_user, 0);
    assert!(!security.allow_privilege_escalation);
    assert!(security.read_only_root_filesystem);
    assert_eq!(security.capabilities.drop, ["ALL"]);
    assert_eq!(security.capabilities.add, ["DAC_READ_SEARCH"]);
    for document in documents::<Value>("kubernetes/rbac.yaml") {
        for rule in document["rules"].as_array().into_iter().flatten() {
            assert_eq!(rule["verbs"], serde_json::json!(["get", "list", "watch"]));
            let resources = rule["resources"].as_array().expect("resources");
            assert!(resources.iter().all(|name| name == "pods" || name == "namespaces"), "{resources:?}");
        }
    }
}

#[test]
fn the_daemon_set_selects_its_own_pods_on_every_node() {
    let set = daemon_set();
    assert_eq!(set.kind, "DaemonSet");
    assert_eq!(set.metadata.labels, set.spec.template.metadata.labels);
    for (key, value) in &set.spec.selector.match_labels {
        assert_eq!(set.spec.template.metadata.labels.get(key), Some(value), "label {key}");
    }
    let pod = set.spec.template.spec;
    assert_eq!(pod.tolerations, [serde_json::json!({ "operator": "Exists" })]);
    let mut accounts = documents::<Value>("kubernetes/rbac.yaml").into_iter();
    let account = accounts.find(|document| document["kind"] == "ServiceAccount").expect("an account");
    assert_eq!(account["metadata"]["name"], pod.service_account_name);
    let memory = &pod.containers[0].resources["limits"];
    assert!(memory["memory"].is_string() && memory.get("cpu").is_none(), "a limit on memory, none on cpu");
    assert!(pod.containers[0].env.iter().any(|entry| entry["name"] == "NODE_NAME"));
}

/// An image without a tag, or with `latest`, is another one tomorrow.
#[test]
fn every_image_says_its_version() {
    let compose: Value = only("compose.yaml");
    let services = compose["services"].as_object().expect("services");
    let mut images: Vec<String> =
        services.values().map(|service| service["image"].as_str().expect("an image").to_owned()).collect();
    images.push(container().image);
    let dockerfile = text("Dockerfile");
    images.extend(
        dockerfile
            .lines()
            .filter_map(|line| line.strip_prefix("FROM "))
            .filter_map(|rest| rest.split_whitespace().next())
            .map(str::to_owned),
    );
    assert!(images.len() >= 6, "{images:?}");
    for image in images {
        let name = image.rsplit('/').next().expect("a name");
        let tag = name.split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| !tag.is_empty() && tag != "latest"), "{image}");
    }
}

#[test]
fn compose_and_systemd_say_the_same_as_the_cluster() {
    let cluster = container();
    let compose: Value = only("compose.yaml");
    let service = &compose["services"]["aludel"];
    let command: Vec<String> = serde_json::from_value(service["command"].clone()).expect("a list of words");
    for flag in ["--admin", "--data-dir"] {
        assert_eq!(after(&command, flag), after(&cluster.args, flag));
    }
    assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]));
    assert_eq!(service["cap_add"], serde_json::json!(cluster.security_context.capabilities.add));
    assert_eq!(service["read_only"], true);
    for (name, published) in compose["services"].as_object().expect("services") {
        for port in published["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().is_some_and(|port| port.starts_with("127.0.0.1:")), "{name}: {port}");
        }
    }
    // A service that mounts a named volume has it declared.
    for volume in service["volumes"].as_array().expect("volumes") {
        let from = volume.as_str().and_then(|volume| volume.split(':').next()).expect("a volume");
        let declared = from.starts_with(['/', '.']) || compose["volumes"].get(from).is_some();
        assert!(declared, "volume {from}");
        if let Some(file) = from.strip_prefix("./") {
            assert!(docker().join(file).is_file(), "docker/{file}");
        }
    }

    let grace = daemon_set().spec.template.spec.termination_grace_period_seconds;
    assert_eq!(service["stop_grace_period"], format!("{grace}s"));
    let unit = text("systemd/aludel.service");
    let settings: Vec<(&str, &str)> =
        unit.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    let value = |key: &str| {
        let mut all = settings.iter().filter(|(name, _)| *name == key).map(|(_, value)| *value);
        all.next().unwrap_or_else(|| panic!("no {key} in the unit"))
    };
    assert_eq!(value("TimeoutStopSec"), grace.to_string());
    assert_eq!(value("AmbientCapabilities"), "CAP_DAC_READ_SEARCH");
    let data_dir = after(&cluster.args, "--data-dir");
    assert_eq!(
        value("ExecStart"),
        format!("/usr/bin/aludel run --data-dir {data_dir} /etc/aludel/pipelines")
    );
    assert_eq!(format!("/var/lib/{}", value("StateDirectory")), data_dir);
    let dockerfile = text("Dockerfile");
    assert!(dockerfile.contains("ENTRYPOINT [\"/usr/bin/aludel\"]"));
    assert!(dockerfile.contains("CMD [\"run\", \"/etc/aludel/pipelines\"]"));
}

/// What the compose file mounts and what the ConfigMap holds is accepted by the program, and stands as it formats.
#[test]
fn deployed_pipelines_are_accepted_and_formatted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pipelines = config_map().data;
    pipelines.insert("compose.aludel".to_owned(), text("compose.aludel"));
    for (name, text) in pipelines {
        let file = folder.path().join(&name);
        fs::write(&file, text).expect("a file");
        for command in [&["check"][..], &["fmt", "--check"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_aludel")).args(command).arg(&file).output();
            let output = output.expect("the program starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "aludel {} {name}: {said}", command.join(" "));
        }
    }
}
