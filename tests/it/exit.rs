use std::process::{Command, ExitCode, Output};

use blueprint::cli::guarded;

fn blueprint(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_blueprint")).args(arguments).output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn a_panic_is_our_mistake() {
    assert_eq!(guarded(|| panic!("two owners")), ExitCode::from(70));
    assert_eq!(guarded(|| anyhow::bail!("no such file")), ExitCode::from(2));
}

const MINIMAL: &str = "blueprints/minimal.toml";

#[test]
fn each_ending_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let run = |verb, path| blueprint(&[verb, path, "--out", out]);
    assert_eq!(code(&run("check", MINIMAL)), Some(3));
    assert_eq!(code(&run("diff", MINIMAL)), Some(3));
    assert_eq!(code(&blueprint(&["render", MINIMAL, "--out", out, "--dry-run"])), Some(0));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "a dry run writes nothing");
    assert_eq!(code(&run("render", MINIMAL)), Some(0));
    assert_eq!(code(&run("check", MINIMAL)), Some(0));
    assert_eq!(code(&run("diff", MINIMAL)), Some(0));
    let readme = folder.path().join("infrastructure/README.md");
    std::fs::write(&readme, "edited").unwrap();
    assert_eq!(code(&run("render", MINIMAL)), Some(1));
    assert_eq!(std::fs::read(&readme).unwrap(), b"edited");
    assert_eq!(code(&run("check", MINIMAL)), Some(1), "a conflict is more than a difference");
    // The exit codes.
    let render = |more: &[&str]| blueprint(&[&["render", MINIMAL, "--out", out], more].concat());
    assert_eq!(code(&render(&["--only", "shop"])), Some(0), "a conflict in another repository");
    assert_eq!(code(&render(&["--only", "shops"])), Some(2));
    assert_eq!(code(&render(&["--overwrite", "infrastructure/README.md.old"])), Some(2));
    assert_eq!(code(&render(&["--overwrite", "shop/README.md"])), Some(2), "in no conflict");
    assert_eq!(std::fs::read(&readme).unwrap(), b"edited");
    assert_eq!(code(&render(&["--overwrite", "infrastructure/README.md"])), Some(0));
    assert_eq!(code(&run("check", MINIMAL)), Some(0));
    assert_eq!(code(&run("check", "no-such.toml")), Some(2));
    assert_eq!(code(&run("frobnicate", MINIMAL)), Some(2));
    assert_eq!(code(&blueprint(&["validate", MINIMAL])), Some(0));
    assert_eq!(code(&blueprint(&["validate", MINIMAL, "--deny-warnings"])), Some(1));
    assert_eq!(code(&blueprint(&["--version"])), Some(0));
}

/// With an invalid blueprint, no file is written, findings go to stderr, and stdout is empty.
#[test]
fn a_mistake_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    for fixture in ["ten", "rest", "syntax"] {
        let output = blueprint(&["render", &format!("tests/findings/{fixture}.toml"), "--out", out]);
        assert_eq!(code(&output), Some(1));
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error["));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

/// Results go to stdout, messages to stderr.
#[test]
fn results_and_remarks_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let first = blueprint(&["render", MINIMAL, "--out", out]);
    let (said, remarked) =
        (String::from_utf8(first.stdout).unwrap(), String::from_utf8(first.stderr).unwrap());
    assert!(said.lines().all(|line| line.starts_with("+ ")), "{said}");
    assert!(remarked.ends_with(&format!("{} created\n", said.lines().count())), "{remarked}");
    let second = blueprint(&["render", MINIMAL, "--out", out]);
    assert!(second.stdout.is_empty());
    assert!(String::from_utf8(second.stderr).unwrap().ends_with(" unchanged\n"));
}

/// The default path of the blueprint.
#[test]
fn the_usual_blueprint_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let here = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blueprint"));
        code(&command.arg("validate").current_dir(folder.path()).output().unwrap())
    };
    let put = |name: &str| std::fs::copy(MINIMAL, folder.path().join(name)).unwrap();
    assert_eq!(here(), Some(2), "there is none");
    std::fs::create_dir(folder.path().join("blueprints")).unwrap();
    put("blueprints/one.toml");
    assert_eq!(here(), Some(0), "the only one");
    put("blueprints/two.toml");
    assert_eq!(here(), Some(2), "several");
    put("blueprint.toml");
    assert_eq!(here(), Some(0), "the usual one");
}

#[test]
fn the_schema_is_printed() {
    let output = blueprint(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema, *blueprint::blueprint::schema());
}
