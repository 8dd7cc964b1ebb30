//! What a container's log path says of it: pod, namespace, container, id.
//!
//! The kubelet names links in `/var/log/containers` `<pod>_<namespace>_<container>-<id>.log`, and the files behind
//! them `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log`; Docker keeps
//! `/var/lib/docker/containers/<id>/<id>-json.log`. None of the names can hold an underscore or a slash.

/// Hexadecimal digits of a container's whole id.
const DOCKER_ID_LEN: usize = 64;

/// The facts; what a path does not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Container<'a> {
    /// `kubernetes.pod.name`
    pub pod: Option<&'a str>,
    /// `kubernetes.namespace`
    pub namespace: Option<&'a str>,
    /// `kubernetes.pod.uid`
    pub pod_uid: Option<&'a str>,
    /// `kubernetes.container.name`
    pub container: Option<&'a str>,
    /// `container.id`
    pub id: Option<&'a str>,
}

impl<'a> Container<'a> {
    /// Reads a path; one that is not a container's gives nothing.
    pub fn from_path(path: &'a str) -> Self {
        let mut parts = path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        let folder = parts.next().unwrap_or_default();
        Self::of_link(file)
            .or_else(|| Self::of_docker(file, folder))
            .or_else(|| Self::of_pod_folder(parts.next().unwrap_or_default(), folder))
            .unwrap_or_default()
    }

    fn of_link(file: &'a str) -> Option<Self> {
        let mut parts = file.strip_suffix(".log")?.split('_');
        let (pod, namespace, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (container, id) = rest.rsplit_once('-')?;
        if parts.next().is_some() || !is_id(id) {
            return None;
        }
        Some(Self {
            pod: Some(pod),
            namespace: Some(namespace),
            container: Some(container),
            id: Some(id),
            pod_uid: None,
        })
    }

    fn of_docker(file: &'a str, folder: &'a str) -> Option<Self> {
        let id = file.strip_suffix("-json.log")?;
        // A whole id says enough; a copy of the file may stand outside its folder.
        (is_id(id) && (id == folder || id.len() == DOCKER_ID_LEN))
            .then_some(Self { id: Some(id), ..Self::default() })
    }

    fn of_pod_folder(pod_folder: &'a str, container: &'a str) -> Option<Self> {
        let mut parts = pod_folder.split('_');
        let (namespace, pod, uid) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || [namespace, pod, uid, container].contains(&"") {
            return None;
        }
        Some(Self {
            pod: Some(pod),
            namespace: Some(namespace),
            pod_uid: Some(uid),
            container: Some(container),
            id: None,
        })
    }
}

fn is_id(text: &str) -> bool {
    text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_names_its_files() {
        let id = "4f1c0a9e77b2".repeat(5) + "4f1c";
        let path = format!("/var/log/containers/web-0_shop_nginx-proxy-{id}.log");
        let found = Container::from_path(&path);
        assert_eq!((found.pod, found.namespace), (Some("web-0"), Some("shop")));
        assert_eq!((found.container, found.id), (Some("nginx-proxy"), Some(id.as_str())));

        let path = format!("/var/lib/docker/containers/{id}/{id}-json.log");
        assert_eq!(Container::from_path(&path).id, Some(id.as_str()));

        assert_eq!(Container::from_path(&format!("copied/{id}-json.log")).id, Some(id.as_str()));

        let found = Container::from_path("/var/log/pods/shop_web-0_0f1e2d3c-aaaa/nginx/0.log");
        assert_eq!(
            (found.pod, found.namespace, found.container),
            (Some("web-0"), Some("shop"), Some("nginx"))
        );
        assert_eq!(found.pod_uid, Some("0f1e2d3c-aaaa"));

        for path in ["/var/log/nginx/access.log", "", "a_b_c.log", "/x_y_z-nothex.log", "stdin"] {
            assert_eq!(Container::from_path(path), Container::default(), "{path}");
        }
    }
}
