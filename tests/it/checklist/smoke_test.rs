// The settings of the smoke test and of the Deployment, which must be equal.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Platform, Verdict, overlays::Overlay, prove};

/// The smoke test of an application: its repository has the name of its image.
fn smoke<'p>(platform: &'p Platform, overlay: &Overlay) -> &'p str {
    let image = overlay.container()["image"].as_str().unwrap_or_default();
    let repository = image.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let path = format!("{repository}/.github/scripts/smoke.sh");
    // Names of images are lower-case.
    let found = platform.files.iter().find(|(it, _)| it.eq_ignore_ascii_case(&path));
    found.map(|(_, text)| text.as_str()).unwrap_or_default()
}

/// The words after each occurrence of an option.
fn options<'s>(script: &'s str, option: &str) -> Vec<&'s str> {
    let words: Vec<&str> = script.split_whitespace().collect();
    words.windows(2).filter(|it| it[0] == option).map(|it| it[1]).collect()
}

/// The names of the variables that Kubernetes sets.
fn deployed(overlay: &Overlay) -> BTreeSet<String> {
    let container = overlay.container();
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let name = |it: &Value| it["name"].as_str().map(str::to_owned);
    let own = list(&container["env"]).iter().filter_map(name).collect::<Vec<_>>();
    let from = list(&container["envFrom"]).into_iter().flat_map(|it| {
        let secret = it["secretRef"]["name"].clone();
        let made = overlay.kinds("ExternalSecret").find(|it| it["spec"]["target"]["name"] == secret);
        list(&made.map(|it| it["spec"]["data"].clone()).unwrap_or_default())
    });
    from.filter_map(|it| it["secretKey"].as_str().map(str::to_owned)).chain(own).collect()
}

/// The names of the variables that the smoke test sets.
fn tried(script: &str) -> BTreeSet<String> {
    let lines = script.split_once("<<'END'\n").and_then(|(_, it)| it.split_once("\nEND\n"));
    let lines = lines.map(|it| it.0.lines()).into_iter().flatten();
    lines.filter_map(|it| Some(it.split_once('=')?.0.to_owned())).collect()
}

#[test]
fn a_program_is_tried_as_it_will_run() {
    let script = "application/.github/scripts/smoke.sh";
    let manifest = "apps/test-app/base/deployment.yaml";
    prove(
        "smoke test",
        &["program"],
        check,
        &[
            (script, "DATABASE_PASSWORD=…", ""),
            (script, "PORT=8080", "PORT=8081"),
            (script, "METRICS_PORT=9090", ""),
            (script, "--user 65532:65532", "--user 1000:1000"),
            (script, "--memory 256m", "--memory 512m"),
            (script, "size=64m", "size=128m"),
            (script, "-lt 60 ]", "-lt 30 ]"),
            (script, "docker stop -t 30", "docker stop -t 60"),
            (script, "wait_for 8080 /livez 200", "wait_for 8080 /health 200"),
            (script, "wait_for 8080 /readyz 503", "wait_for 8080 /ready 503"),
            (script, "wait_for 8080 /readyz 503", "wait_for 8080 /readyz 200"),
            (script, "127.0.0.1::9090", "127.0.0.1::9091"),
            (manifest, "- name: PORT value: \"8080\"", "- name: PORT\n              value: \"8081\""),
            (manifest, "containerPort: 9090", "containerPort: 9091"),
            (manifest, "runAsGroup: 65532", "runAsGroup: 1000"),
        ],
    );
    // Every other blueprint that is committed, too.
    for (name, text) in crate::blueprints() {
        let mut verdict = Verdict::default();
        let table = toml::from_str(&text).unwrap_or_default();
        check(&Platform::new(crate::DRAWN[&name].clone(), table), &mut verdict);
        assert!(verdict.wrong.is_empty(), "{name}:\n{}", verdict.wrong.join("\n"));
    }
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let overlays = Overlay::all(platform);
        for overlay in &overlays {
            verdict.see("program");
            let script = smoke(platform, overlay);
            let (pod, container, place) = (overlay.pod(), overlay.container(), overlay.place());
            let mut hold = |holds: bool, what: &str| {
                verdict.hold(holds, format!("{place}: the smoke test has another {what}"));
            };
            let (here, there) = (deployed(overlay), tried(script));
            // There is one image, so the smoke test has the variables of all environments.
            let others = overlays.iter().filter(|it| it.application == overlay.application);
            let all: BTreeSet<String> = others.flat_map(deployed).collect();
            hold(here.is_subset(&there) && there == all, "set of variables");
            let port = |name: &str| {
                let ports = container["ports"].as_array().into_iter().flatten();
                ports.filter(|it| it["name"] == name).find_map(|it| it["containerPort"].as_u64())
            };
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            let variable = |name: &str| {
                let list = container["env"].as_array().into_iter().flatten();
                list.filter(|it| it["name"] == name).find_map(|it| it["value"].as_str())
            };
            let line = |name: &str, value: &str| script.contains(&format!("\n{name}={value}\n"));
            let published = options(script, "--publish");
            for (name, given) in [("http", "PORT"), ("metrics", "METRICS_PORT")] {
                let Some(port) = port(name).map(|it| it.to_string()) else {
                    hold(!there.contains(given), given);
                    continue;
                };
                hold(published.contains(&format!("127.0.0.1::{port}").as_str()), "port");
                hold(variable(given) == Some(&port) && line(given, &port), given);
            }
            let user = &pod["securityContext"];
            let user = format!("{}:{}", user["runAsUser"], user["runAsGroup"]);
            hold(options(script, "--user") == [user], "user");
            let scratch = pod["volumes"][0]["emptyDir"]["sizeLimit"].as_str().unwrap_or_default();
            let scratch = format!("/tmp:exec,size={}m", scratch.trim_end_matches("Mi"));
            hold(options(script, "--tmpfs") == [scratch], "/tmp");
            // The one image is tested with the values of the base, not with those of overlays.
            let memory = overlay.setting(platform, &["memory"]).and_then(|it| it.as_str());
            let same = platform
                .blueprint
                .get("applications")
                .and_then(|it| it.get(overlay.application)?.get("memory")?.as_str());
            let limit = container["resources"]["limits"]["memory"].as_str().unwrap_or_default();
            let mebibytes = |it: &str| {
                let gibi = it.strip_suffix("Gi").and_then(|it| Some(it.parse::<u32>().ok()? * 1024));
                gibi.or_else(|| it.strip_suffix("Mi")?.parse().ok()).unwrap_or_default()
            };
            let limit = format!("{}m", mebibytes(limit));
            hold(memory != same || options(script, "--memory") == [limit], "memory");
            let startup = &container["startupProbe"];
            let patience = number(&startup["periodSeconds"]) * number(&startup["failureThreshold"]);
            let attempts = options(script, "-lt").first().and_then(|it| it.parse::<u64>().ok());
            // Emulated programs get four times as long.
            let factor = if script.contains("architectures=amd64\n") { 1 } else { 4 };
            let waits = attempts.is_some_and(|it| it.div_ceil(factor).div_ceil(2) * 2 == patience);
            hold(waits, "time to start");
            let grace = number(&pod["terminationGracePeriodSeconds"]);
            let before = number(&container["lifecycle"]["preStop"]["sleep"]["seconds"]);
            let stop = options(script, "-t").first().and_then(|it| it.parse::<u64>().ok());
            hold(stop.is_some_and(|it| it + before < grace), "time to stop");
            let drain = overlay.setting(platform, &["shutdown", "drain"]).and_then(|it| it.as_integer());
            hold(stop.map(|it| it as i64) == Some(drain.unwrap_or(30)), "time to stop");
            let path =
                |probe: &str| container[probe]["httpGet"]["path"].as_str().unwrap_or_default().to_owned();
            let ready = if container["envFrom"].is_null() { "200" } else { "503" };
            for (path, status) in [(path("livenessProbe"), "200"), (path("readinessProbe"), ready)] {
                let asks = format!("wait_for {} {path} ", port("http").unwrap_or_default());
                let asked = script.lines().find_map(|it| it.trim().strip_prefix(asks.as_str()));
                hold(asked.is_some_and(|it| it.split(' ').any(|it| it == status)), &path);
            }
        }
    }
}

/// Node's heap limit depends on the memory of each environment, and options of the blueprint are kept.
#[test]
fn node_leaves_memory_beside_its_heap() {
    let text = crate::walk("tests/blueprints").remove("languages.toml").unwrap();
    let rendered = |more: &str| {
        let text =
            format!("{text}\n[environments.small]\n[environments.large.applications.in-node]\n{more}\n");
        Platform::new(crate::tree(crate::plan(&text)), toml::Table::new())
    };
    let options = |platform: &Platform, environment: &str| {
        let overlays = Overlay::all(platform);
        let mut all =
            overlays.iter().filter(|it| it.environment == environment && it.application == "in-node");
        let list = all.next().unwrap().container()["env"].as_array().unwrap().clone();
        let found = list.iter().find(|it| it["name"] == "NODE_OPTIONS").cloned().unwrap_or_default();
        found["value"].as_str().unwrap_or_default().to_owned()
    };
    let platform = rendered("memory = '1Gi'");
    assert_eq!(options(&platform, "small"), "--max-old-space-size=153");
    assert_eq!(options(&platform, "large"), "--max-old-space-size=614");
    let smoke = &platform.files["in-node/.github/scripts/smoke.sh"];
    assert!(smoke.contains("\nNODE_OPTIONS=--max-old-space-size=153\n"), "{smoke}");
    let own = rendered("env = { NODE_OPTIONS = '--max-old-space-size=100' }");
    assert_eq!(options(&own, "large"), "--max-old-space-size=100");
    let others = rendered("memory = '1Gi'");
    let none = Overlay::all(&others)
        .iter()
        .filter(|it| it.application != "in-node")
        .any(|it| it.container()["env"].to_string().contains("NODE_OPTIONS"));
    assert!(!none, "a program in another language has Node's options");
}
