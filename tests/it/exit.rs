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

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `check` says what is wrong with each file, and `diff` prints in every format.
#[test]
fn differences_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (out, root) = (folder.path().to_str().unwrap(), folder.path());
    let run = |arguments: &[&str]| blueprint(&[arguments, &[MINIMAL, "--out", out]].concat());
    run(&["render"]);
    let lock = root.join("shop/.blueprint.lock");
    let older = std::fs::read_to_string(&lock).unwrap().replace("version = \"", "version = \"0.0.");
    let older = older.replace("[files]\n", "[files]\n\"gone.txt\" = { owner = \"managed\", by = \"cache\", written = \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\" }\n");
    std::fs::write(&lock, older).unwrap();
    std::fs::write(root.join("shop/gone.txt"), "mine").unwrap();
    std::fs::remove_file(root.join("shop/README.md")).unwrap();
    let script = root.join("shop/.github/scripts/build.sh");
    std::fs::remove_file(&script).unwrap();
    std::fs::copy(root.join("infrastructure/README.md"), root.join("shop/Dockerfile")).unwrap();
    let check = run(&["check"]);
    let (said, remarked) = (text(&check.stdout), text(&check.stderr));
    for line in [
        "missing   shop/README.md",
        "missing   shop/.github/scripts/build.sh",
        "edited    shop/Dockerfile",
        "left over shop/gone.txt: no longer rendered, but edited since",
    ] {
        assert!(said.lines().any(|it| it == line), "{line}: {said}");
    }
    assert!(remarked.contains("note: `shop` was rendered by blueprint 0.0."), "{remarked}");
    for words in ["--overwrite shop/Dockerfile", "in `handed-over` of `[files]`", "--only REPOSITORY"] {
        assert!(remarked.contains(words), "{words}: {remarked}");
    }
    let names = text(&run(&["diff", "--name-only"]).stdout);
    assert!(names.lines().any(|it| it == "shop/README.md"), "{names}");
    let counts = text(&run(&["diff", "--stat"]).stdout);
    assert!(counts.lines().any(|it| it.ends_with(" -0  shop/README.md")), "{counts}");
    let json: serde_json::Value = serde_json::from_slice(&run(&["diff", "--format", "json"]).stdout).unwrap();
    let shop = json["repositories"].as_array().unwrap().iter().find(|it| it["name"] == "shop").unwrap();
    assert!(shop["files"].as_array().unwrap().iter().any(|it| it["status"] == "missing"), "{shop}");
    let comment = text(&run(&["diff", "--format", "github"]).stdout);
    assert!(
        comment.contains("<code>shop/README.md</code>") && !comment.contains(".blueprint.lock"),
        "{comment}"
    );
    let limited = tempfile::tempdir().unwrap();
    let whole = blueprint(&[
        "diff",
        "blueprints/faceit.toml",
        "--out",
        limited.path().to_str().unwrap(),
        "--format",
        "github",
    ]);
    let whole = text(&whole.stdout);
    assert!(whole.chars().count() <= 65_536 && whole.contains("files are not shown"), "{}", whole.len());
    let human = text(&run(&["diff"]).stdout);
    assert!(human.contains("+++ shop/README.md") && !human.contains('\u{1b}'), "no colours in a pipe");
}

/// A blueprint from standard input, which has no name.
#[test]
fn a_blueprint_comes_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let file = std::fs::File::open(MINIMAL).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_blueprint"));
        code(&command.args(arguments).stdin(file).output().unwrap())
    };
    assert_eq!(run(&["validate", "-"]), Some(0));
    assert_eq!(run(&["render", "-"]), Some(2));
    assert_eq!(run(&["render", "-", "--out", folder.path().to_str().unwrap()]), Some(0));
    assert!(folder.path().join("shop/README.md").exists());
}

/// A closed pipe is no success, but for the schema, and a full disk under stderr is no crash.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blueprint"));
        command.args(arguments);
        command
    };
    let diff = ["diff", MINIMAL, "--out", out];
    assert_eq!(run(&diff).stdout(full()).output().unwrap().status.code(), Some(2));
    assert_eq!(run(&diff).stderr(full()).output().unwrap().status.code(), Some(3));
    assert_eq!(run(&["validate", "no-such.toml"]).stderr(full()).output().unwrap().status.code(), Some(2));
    let closed = |arguments: &[&str]| {
        let mut child = run(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    assert_eq!(closed(&["schema"]), Some(0));
    assert_eq!(closed(&diff), Some(2));
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
    let next = "next: review and commit the changes in `infrastructure`, `kubernetes-manifest`, `shop`\n";
    assert!(remarked.ends_with(&format!("{} created\n{next}", said.lines().count())), "{remarked}");
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
