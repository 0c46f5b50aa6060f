use std::{collections::BTreeSet, process::Command};

use askama::Template;
use blueprint::{
    cli::draw,
    diagnostics::Report,
    source::Source,
    words::{
        Account, AddonVersion, Atomic, Bare, BlueprintPath, CodeOwner, Commit, Cpu, DatabaseClass,
        DatabaseName, Domain, GitUrl, GithubOwner, Hcl, InstanceType, Memory, Name, NodeImageRelease,
        Repository, RolePath, SecretKey, Text, UrlPath, VariableName, Word, Words, YAML_WORDS, is_bare,
    },
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::{plan, tree, walk, wide};

const HOSTILE: [&str; 11] = [
    r#"" } evil { ""#,
    "${file(\"/etc/passwd\")}",
    "%{ if true }x%{ endif }",
    "a: b # c",
    "'; touch x; '$(touch y)`touch z`",
    "- no",
    "--> <script> [a](b) *c*",
    r"\",
    "1. no | &amp; ~~no~~ #",
    "2) a.b:c, (d); \"e\"?",
    "no",
];

fn drawn(purpose: &str) -> crate::Tree {
    tree(plan(&wide(|table| {
        table.insert("purpose".into(), purpose.into());
        table["components"]["metrics-server"]["values"]["podAnnotations"]["norway"] = purpose.into();
        table["applications"]["batch"]["commands"]["lint"] = vec![purpose].into();
        table["applications"]["ledger-api"]["env"]["GREETING"] = purpose.into();
    })))
}

/// The parsed file must equal the file with harmless words, after the words are replaced.
#[test]
fn words_stay_words() {
    let calm = drawn("calm");
    let mut spoken = BTreeSet::new();
    for words in HOSTILE {
        for (path, text) in drawn(words) {
            let ending = path.rsplit('.').next().unwrap().to_owned();
            if text != calm[&path] {
                spoken.insert(ending.clone());
            } else if !text.contains("calm") {
                // Nothing of a person's stands in it.
                continue;
            }
            let same = match ending.as_str() {
                "tf" | "hcl" => {
                    let debug = |text: &str| format!("{:?}", hcl::parse(text).unwrap());
                    let spelled = hcl::format::to_string(&hcl::Expression::from(words)).unwrap();
                    debug(&calm[&path]) == debug(&text.replace(&spelled, "\"calm\""))
                        && text.contains(&spelled) == calm[&path].contains("\"calm\"")
                }
                "yaml" | "yml" => yaml(&calm[&path], words) == yaml(&text, words),
                "md" => markdown_is_calm(&calm[&path], &text, words),
                // In a here-document with a quoted delimiter, nothing is expanded.
                "sh" => {
                    let (before, after) = text.split_once("<<'END'\n").unwrap_or((text.as_str(), ""));
                    let line = |words: &str| format!("\nGREETING={words}\n");
                    format!("{before}<<'END'\n{}", after.replacen(&line(words), &line("calm"), 1))
                        == calm[&path]
                        || text == calm[&path]
                }
                _ => text == calm[&path],
            };
            assert!(same, "`{words}` changed the shape of `{path}`:\n{text}");
        }
    }
    for ending in ["md", "sh", "yaml"] {
        assert!(
            spoken.contains(ending),
            "no `.{ending}` holds a person's words, so this test shows nothing for it"
        );
    }
}

/// Whether the rendered Markdown equals that of the harmless file, after the words are replaced.
fn markdown_is_calm(calm: &str, text: &str, words: &str) -> bool {
    // Markdown drops white space around a paragraph.
    let words = words.trim();
    let calmed = |events: Vec<(String, bool)>| -> Vec<(String, bool)> {
        let calm = |(text, is_text): (String, bool)| {
            if is_text && text == words { ("calm".to_owned(), true) } else { (text, is_text) }
        };
        events.into_iter().map(calm).collect()
    };
    calmed(markdown(text)) == markdown(calm)
}

/// The rendered GitHub Markdown: pieces of text, and the elements between them.
fn markdown(text: &str) -> Vec<(String, bool)> {
    let mut seen: Vec<(String, bool)> = Vec::new();
    for event in pulldown_cmark::Parser::new_ext(
        text,
        pulldown_cmark::Options::ENABLE_GFM
            | pulldown_cmark::Options::ENABLE_TABLES
            | pulldown_cmark::Options::ENABLE_STRIKETHROUGH,
    ) {
        match (event, seen.last_mut()) {
            (pulldown_cmark::Event::Text(more), Some((text, true))) => text.push_str(&more),
            (pulldown_cmark::Event::Text(text), _) => seen.push((text.to_string(), true)),
            (mark, _) => seen.push((format!("{mark:?}"), false)),
        }
    }
    seen
}

fn yaml(text: &str, words: &str) -> Vec<serde_yaml::Value> {
    let documents = serde_yaml::Deserializer::from_str(text);
    documents
        .map(|it| replace(<serde_yaml::Value as serde::Deserialize>::deserialize(it).unwrap(), words))
        .collect()
}

fn replace(value: serde_yaml::Value, words: &str) -> serde_yaml::Value {
    use serde_yaml::Value::*;
    match value {
        String(it) if it == "calm" => String(words.to_owned()),
        Sequence(it) => Sequence(it.into_iter().map(|it| replace(it, words)).collect()),
        Mapping(it) => Mapping(it.into_iter().map(|(key, it)| (key, replace(it, words))).collect()),
        it => it,
    }
}

macro_rules! endings {
    ($($name:ident $ending:literal,)+) => {
        $(
            #[derive(Template)]
            #[template(source = "#{ word }#", ext = $ending)]
            struct $name<'a> { word: &'a str }
        )+

        fn endings(word: &str) -> Vec<(&'static str, askama::Result<String>)> {
            vec![$(($ending, $name { word }.render())),+]
        }
    };
}

endings! {
    Plain "", Env "env", Go "go", HclTest "hcl", Html "html", Json "json", Md "md", Mod "mod", Sh "sh", Sql "sql", Sum "sum",
    Tf "tf", Toml "toml", Txt "txt",
    Yaml "yaml", Yml "yml",
}

/// A forgotten filter cannot do harm in any file.
#[test]
fn every_ending_refuses_a_bare_string() {
    for words in HOSTILE.into_iter().filter(|words| *words != "no") {
        for (ending, rendered) in endings(words) {
            assert!(rendered.is_err(), "`.{ending}` lets `{words}` through");
        }
    }
    let known: BTreeSet<String> = endings("fine").into_iter().map(|(ending, _)| ending.to_owned()).collect();
    let listed = include_str!("../../askama.toml").split("extensions = ").nth(1).unwrap();
    let listed: BTreeSet<String> = serde_json::from_str(listed).unwrap();
    assert_eq!(known, listed, "this test and `askama.toml` must name the same endings");
    for path in walk("templates").keys() {
        let ending = std::path::Path::new(path).extension().unwrap_or_default().to_str().unwrap();
        assert!(known.contains(ending), "`templates/{path}` has an ending without an escaper");
    }
}

#[derive(Template)]
#[template(source = "#{ word|sh }#", ext = "sh")]
struct Shell {
    word: Text,
}

#[derive(Template)]
#[template(source = "key #{ word|line }#\nnext", ext = "txt")]
struct Lined {
    word: Text,
}

#[derive(Template)]
#[template(source = "key: #{ word|yaml }#", ext = "yaml")]
struct Yamled {
    word: Text,
}

#[derive(Template)]
#[template(source = "key: #{ word|bare }#", ext = "yaml")]
struct Bared<W: Bare> {
    word: W,
}

#[derive(Template)]
#[template(source = "key: #{ word|scalar }#", ext = "yaml")]
struct Scalar<W: Words> {
    word: W,
}

#[derive(Template)]
#[template(source = "#{ word }#", ext = "")]
struct Displayed<W: Atomic> {
    word: W,
}

#[derive(Template)]
#[template(source = "key = #{ word|hcl }#\nlist = #{ words|hcl_list(0) }#\n", ext = "tf")]
struct Hcled {
    word: Text,
    words: Vec<Text>,
}

use crate::words::filters;

/// The output of each filter parses to its input, in the language of the filter.
#[test]
fn every_filter_means_its_words() {
    for words in HOSTILE {
        let word = || Text::ours(words);
        let line = format!("printf %s {}", Shell { word: word() }.render().unwrap());
        assert_eq!(Command::new("sh").args(["-c", &line]).output().unwrap().stdout, words.as_bytes());
        let lines = Lined { word: word() }.render().unwrap();
        assert_eq!(lines.lines().collect::<Vec<_>>(), [&format!("key {words}"), "next"]);
        let read: serde_yaml::Value =
            serde_yaml::from_str(&Yamled { word: word() }.render().unwrap()).unwrap();
        assert_eq!(read["key"], *words);
        let text = Hcled { word: word(), words: vec![word(), word()] }.render().unwrap();
        let expected = hcl::format::to_string(&hcl::Expression::from(words)).unwrap();
        assert!(text.contains(&format!("key = {expected}\n")), "{text}");
        hcl::parse(&text).unwrap();
    }
    for word in ["no", "1.5", "250m", "a: b", "a b", "", "-", "~", "True", "a:", "ä"] {
        assert!(!is_bare(word), "`{word}` must not stand bare");
    }
    assert_eq!(Bared { word: "ghcr.io/a/b" }.render().unwrap(), "key: ghcr.io/a/b");
    let _: Hcl = Hcl::string("${local.name}");
}

#[test]
fn words_that_will_not_do() {
    let long = "a".repeat(Name::MAX + 1);
    for word in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "no", "on", "y", "a b", "ä", &long] {
        assert!(Name::read(word).is_none(), "`{word}` should not be a name");
    }
    for words in ["a\nb", " a", "${{ x }}", "\u{202e}", "\u{feff}", "\0", &"a".repeat(201)] {
        assert!(Text::read(words).is_none(), "`{}` should not be text", words.escape_debug());
    }
    for word in ["", "a b", "-a", "a-", "a--b", "a_b", &"a".repeat(40)] {
        assert!(GithubOwner::read(word).is_none(), "`{word}` should not be an owner");
    }
    for word in ["", ".", "..", ".git", "a.git", "a/b", "a b", "-a", &"a".repeat(101)] {
        assert!(Repository::read(word).is_none(), "`{word}` should not be a repository");
    }
    for word in ["m7i", "m7i.", ".large", "M7i.large", "m7i.large.x y", "m.large", "7.large", "m7i large"] {
        assert!(InstanceType::read(word).is_none(), "`{word}` should not be an instance type");
    }
    for word in [
        "v1.2.3",
        "1.2.3-eksbuild.1",
        "v1.2-eksbuild.1",
        "v1.2.3-eksbuild.",
        "v1.2.3-eksbuild.1 ",
        "v1.2.x-eksbuild.1",
    ] {
        assert!(AddonVersion::read(word).is_none(), "`{word}` should not be a version");
    }
    for word in ["", "m7g.large", "db.m7g", "db.", "db.m7g.large.x", "DB.m7g.large", "db.large"] {
        assert!(DatabaseClass::read(word).is_none(), "`{word}` should not be a class of database instances");
    }
    for word in ["", "1a", "_a", "a-b", "A", "a b", "a\"b", "user", "no", "pg_a", "rdsadmin", &"a".repeat(59)]
    {
        assert!(DatabaseName::read(word).is_none(), "`{word}` should not be a database");
    }
    assert!(DatabaseName::read(&"a".repeat(58)).is_some() && DatabaseName::read("order_1").is_some());
    for word in ["", "a", "//a", "/a/../b", "/a?b", "/a b", "/ä", "/a\"b"] {
        assert!(UrlPath::read(word).is_none(), "`{word}` should not be a path");
    }
    for word in [
        "",
        "example",
        ".example.com",
        "example.com.",
        "Example.com",
        "a_b.example.com",
        "example.1",
        "-a.com",
        "a b.com",
    ] {
        assert!(Domain::read(word).is_none(), "`{word}` should not be a zone");
    }
    for word in
        ["", "latest", "1.36", "1.36.4", "1.36.4-", "1.36.4-2026", "1.36.4-2026093x", "v1.36.4-20260923"]
    {
        assert!(NodeImageRelease::read(word).is_none(), "`{word}` should not be a release");
    }
    for word in ["", "1A", "_A", "A-B", "A B", "A.B", "on", "N", "Ä", "A=B", &"A".repeat(65)] {
        assert!(VariableName::read(word).is_none(), "`{word}` should not be a variable");
    }
    for word in [
        "",
        "/a",
        "a/",
        "a//b",
        "a--b",
        "A",
        "1a",
        "a_b",
        "a.b",
        "a/../b",
        "no",
        "a/b/c/d/e",
        &"a/".repeat(51),
    ] {
        assert!(SecretKey::read(word).is_none(), "`{word}` should not be a place for a secret");
    }
    assert_eq!(SecretKey::read("payment/key-2").map(|it| it.secret()).as_deref(), Some("payment-key-2"));
    for word in ["", "platform", "/platform", "platform/", "//", "/a b/", "/a//b/", "/a\"b/", "/ä/", "/--/"]
    {
        assert!(RolePath::read(word).is_none(), "`{word}` should not be the path of a role");
    }
    for word in ["", "0", "-1", "1.5", "250", "250M", "99999999m", "250m "] {
        assert!(Cpu::read(word).is_none() || word == "250", "`{word}` should not be processor time");
    }
    for word in ["", "0Mi", "256", "256M", "1.5Gi", "256mi", "256 Mi"] {
        assert!(Memory::read(word).is_none(), "`{word}` should not be memory");
    }
    assert!(Name::read(&long[1..]).is_some() && Name::read("a-1-b").is_some());
    assert!(
        UrlPath::read("/").is_some()
            && RolePath::read("/a.b/c_d/").is_some()
            && Repository::read("Ledger.Service_1").is_some()
    );
    assert_eq!(Cpu::read("2").map(|it| it.to_string()).as_deref(), Some("2"));
    assert_eq!(Memory::read("2048Mi").map(|it| it.to_string()).as_deref(), Some("2Gi"));
}

/// Placeholders are not valid words.
#[test]
fn nobody_types_a_placeholder() {
    fn placeholder<W: Word + std::fmt::Display>() {
        let word = W::default().to_string();
        assert!(W::read(&word).is_none(), "`{word}` can be typed");
    }
    placeholder::<Name>();
    placeholder::<GithubOwner>();
    placeholder::<Repository>();
    placeholder::<InstanceType>();
    placeholder::<AddonVersion>();
    placeholder::<BlueprintPath>();
    placeholder::<Commit>();
    placeholder::<GitUrl>();
    placeholder::<RolePath>();
    placeholder::<NodeImageRelease>();
    placeholder::<Domain>();
    placeholder::<DatabaseClass>();
    placeholder::<DatabaseName>();
    placeholder::<UrlPath>();
    placeholder::<VariableName>();
    placeholder::<SecretKey>();
    placeholder::<Account>();
}

/// Graviton types have a `g` after the generation.
#[test]
fn families_tell_their_processors() {
    for arm in
        ["m7g.large", "c8gd.xlarge", "im4gn.large", "t4g.small", "x2gd.medium", "g5g.xlarge", "a1.large"]
    {
        assert!(InstanceType::read(arm).unwrap().is_arm(), "`{arm}` is arm64");
    }
    for x86 in [
        "m7i.large",
        "m7i-flex.large",
        "g6.xlarge",
        "g4dn.xlarge",
        "gr6.4xlarge",
        "t3a.small",
        "p4de.24xlarge",
    ] {
        assert!(!InstanceType::read(x86).unwrap().is_arm(), "`{x86}` is x86");
    }
}

/// Files and objects have the name of their application. A name that the platform uses is refused, or causes no conflict.
#[test]
fn an_application_may_be_called_as_our_files() {
    let ours = tree(plan(&wide(|_| {})));
    let words: BTreeSet<&str> = ours
        .keys()
        .filter(|path| path.contains("/clusters/production/") || path.contains("/apps/batch/"))
        .flat_map(|path| path.split('/'))
        .map(|word| word.split('.').next().unwrap_or_default())
        .filter(|word| word.len() <= 20 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        .filter(|word| !word.is_empty() && !["batch", "ledger-api"].contains(word))
        .collect();
    assert!(words.contains("cluster") && words.contains("kustomization") && words.len() > 40, "{words:?}");
    for word in words {
        let text = wide(|table| {
            let applications = table["applications"].as_table_mut().unwrap();
            applications.insert(word.to_owned(), toml::Value::Table(toml::Table::new()));
        });
        let mut report = Report::default();
        let source = Source { path: "test.toml".to_owned(), text };
        let Some(plan) = draw(&source, &mut report) else {
            let words = report.render(&source);
            assert!(words.contains("application/"), "{word}: {words}");
            continue;
        };
        let theirs = tree(plan);
        let lost = ours.keys().find(|path| !theirs.contains_key(*path));
        assert!(lost.is_none(), "an application called `{word}` takes the place of {lost:?}");
    }
}

/// Words close to the rule of an atom, with a fixed seed.
fn samples(pattern: &str) -> Vec<String> {
    let strategy = proptest::string::string_regex(pattern).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut sample = || strategy.new_tree(&mut runner).unwrap().current();
    let odd = ["1e3", "0x1f", "2048", "1.5", "1shop.example", "1-1.example", "/", "a/b", "N"];
    let odd = odd.into_iter().chain(YAML_WORDS).map(str::to_owned);
    (0..200).map(|_| sample()).chain(odd).collect()
}

/// An atom is displayed unchanged, and YAML reads it as a string.
fn meets_filters<W: Word + Words + Atomic>(pattern: &str, bare: fn(&W) -> Option<String>) {
    let samples = samples(pattern);
    let read: Vec<(&String, W)> = samples.iter().filter_map(|it| Some((it, W::read(it)?))).collect();
    assert!(read.len() > 20, "`{pattern}` makes too few words: {}", read.len());
    for (word, atom) in &read {
        assert_eq!(Displayed { word: atom }.render().unwrap(), **word);
        let yaml = [Scalar { word: atom }.render().ok(), bare(atom)];
        for text in yaml.into_iter().flatten() {
            let back: serde_json::Value = serde_yaml::from_str(&text).unwrap();
            assert_eq!(back, serde_json::json!({ "key": word }), "{text}");
        }
    }
}

macro_rules! every_atom {
    (bare { $($bare:ident $bare_pattern:literal,)+ } quoted { $($quoted:ident $quoted_pattern:literal,)+ }) => {
        /// The rule of each atom implies what its filters ask for.
        #[test]
        fn every_atom_meets_its_filters() {
            $(meets_filters::<$bare>($bare_pattern, |word| {
                let text = Bared { word }.render().ok();
                assert!(is_bare(&word.to_string()), "`{word}` must not stand bare");
                text
            });)+
            $(meets_filters::<$quoted>($quoted_pattern, |_| None);)+
            let source = include_str!("../../src/words.rs");
            let named = |line: &str| line.strip_suffix('(')?.strip_prefix("    ").map(str::to_owned);
            let atoms = source.lines().filter_map(named).filter(|it| it.starts_with(char::is_uppercase));
            let tried = [$(stringify!($bare)),+].into_iter().chain([$(stringify!($quoted)),+]);
            assert_eq!(atoms.collect::<BTreeSet<_>>(), tried.map(str::to_owned).collect());
            let bare = source.split("\nbare!(").nth(1).unwrap().split(')').next().unwrap();
            assert_eq!(bare.split(',').map(str::trim).collect::<BTreeSet<_>>(), [$(stringify!($bare)),+].into());
        }
    };
}

every_atom! {
    bare {
        DatabaseName "[a-z][a-z0-9_]{0,12}",
        Name "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8})?",
        RolePath "(/[A-Za-z0-9._]{1,10}){0,3}/",
        SecretKey "[a-z][a-z0-9]{0,8}(/[a-z0-9]{1,8}){0,3}",
        UrlPath "(/[A-Za-z0-9._-]{1,8}){0,3}/?",
        VariableName "[A-Za-z][A-Za-z0-9_]{0,12}",
    }
    quoted {
        Account "[0-9]{12}",
        BlueprintPath "([A-Za-z0-9][A-Za-z0-9._]{0,8}/){0,2}[A-Za-z0-9][A-Za-z0-9._]{0,8}\\.toml",
        Commit "[0-9a-f]{40}",
        GitUrl "https://[a-z0-9]{1,9}(/[A-Za-z0-9][A-Za-z0-9._]{0,8}){1,3}",
        AddonVersion "v[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}-eksbuild\\.[0-9]{1,2}",
        CodeOwner "@[a-z0-9]{1,12}(/[a-z0-9_]{1,12})?",
        DatabaseClass "db\\.[a-z][0-9][a-z]{0,2}\\.[a-z0-9]{1,8}",
        Domain "[a-z0-9]{1,6}(-[a-z0-9]{1,4})?(\\.[a-z0-9]{1,6}){0,2}\\.[a-z]{2,5}",
        InstanceType "[a-z]{1,3}[0-9]{1,2}[a-z]{0,3}\\.[a-z0-9]{1,8}",
        GithubOwner "[A-Za-z0-9]{1,20}",
        NodeImageRelease "[0-9]\\.[0-9]{1,2}\\.[0-9]-[0-9a-f]{8}",
        Repository "[A-Za-z0-9][A-Za-z0-9._]{0,20}",
    }
}

/// Zones, hosts and GitHub names may begin with digits, which YAML would read as a number.
#[test]
fn names_may_begin_with_a_digit() {
    let files = tree(plan(&wide(|table| {
        table["dns"]["zone"] = "1shop.example".into();
        table["github"]["owner"] = "1shop".into();
        table["github"]["repositories"]["kubernetes-manifest"] = "2048".into();
        table["applications"]["ledger-api"]["host"] = "2048".into();
        table["components"].as_table_mut().unwrap().remove("monitoring");
        table.remove("environments");
    })));
    let ingress = "2048/apps/ledger-api/overlays/production/ingress.yaml";
    let ingress: serde_yaml::Value = serde_yaml::from_str(&files[ingress]).unwrap();
    assert_eq!(ingress["spec"]["rules"][0]["host"], "2048.1shop.example");
}

/// A blueprint with this text, and its findings.
fn answer(head: &str, tail: &str) -> (Option<crate::Tree>, String) {
    let minimal = include_str!("../../blueprints/minimal.toml");
    let text = format!("{head}{minimal}\n{tail}");
    let source = Source { path: "test.toml".to_owned(), text };
    let mut report = Report::default();
    let drawn = draw(&source, &mut report).map(tree);
    (drawn, report.render(&source))
}

/// Values that our types or YAML cannot represent cause a finding and no panic.
#[test]
fn no_input_ends_in_a_panic() {
    let values = "[components.metrics-server.values]\n";
    let long = "k".repeat(1030);
    let refused = [
        format!("{values}big = 99999999999999999999"),
        format!("{values}big = [{{ low = 0x8000000000000001, high = 1e999 }}]"),
        format!("{values}\"$__toml_private_datetime\" = \"07:32:00\""),
        format!("{values}inner = {{ \"$__toml_private_datetime\" = 1 }}"),
        format!("{values}{long} = 1"),
        format!("{values}inner = [{{ {long} = 1 }}]"),
        "[applications.\"$__toml_private_datetime\"]".to_owned(),
        "[environments.\"$__toml_private_datetime\"]".to_owned(),
        "[environments.\"\\u001b[31mred\"]".to_owned(),
        "[applications.\"\\u009bred\"]".to_owned(),
        "[applications.empty]\ncommands = { test = [\"\"] }".to_owned(),
        "[applications.many]\nport = 99999999999999999999".to_owned(),
        "[applications.ffff.env]\nA = \"\\uFFFF\"".to_owned(),
        "[applications.fffe.env]\nA = \"\\uFFFE\"".to_owned(),
        "[applications.bidi.env]\nA = \"\u{61c}\"".to_owned(),
        format!("[{}]", vec!["a"; 50_000].join(".")),
    ];
    for tail in refused {
        let (drawn, words) = answer("", &tail);
        assert!(drawn.is_none() && words.contains("error["), "{tail:.80}");
        let unseen = |c: char| blueprint::words::is_unseen(c) && c != '\n';
        assert!(!words.contains(unseen), "{tail:.80}: {}", words.escape_debug());
    }
    let taken = [
        format!("{values}\"\\uFFFE\" = \"\\uFFFF\\u202E\\u00AD\""),
        format!("{values}big = [9223372036854775807, -9223372036854775808, 1e308]"),
        format!("{values}{} = 1", &long[..1000]),
        "[applications.tag]\ncommands = { lint = [], test = [\"true\"] }".to_owned(),
    ];
    for tail in taken {
        let (drawn, words) = answer("", &tail);
        let files = drawn.unwrap_or_else(|| panic!("{words}"));
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".yaml")) {
            for document in serde_yaml::Deserializer::from_str(text) {
                <serde_yaml::Value as serde::Deserialize>::deserialize(document)
                    .unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
    }
}

/// The largest and the smallest number of each key cause no panic.
#[test]
fn numbers_at_their_limits_are_answered() {
    let whole: toml::Table = toml::from_str(&wide(|_| ())).unwrap();
    let mut paths = Vec::new();
    integers(&whole, &mut Vec::new(), &mut paths);
    assert!(paths.len() > 20, "{paths:?}");
    for number in [0, 1, u32::MAX.into(), i64::MAX] {
        for path in &paths {
            let mut table = whole.clone();
            let (key, folder) = path.split_last().unwrap();
            let inner = folder.iter().fold(&mut table, |table, key| table[key].as_table_mut().unwrap());
            inner.insert(key.clone(), number.into());
            let source = Source { path: String::new(), text: toml::to_string(&table).unwrap() };
            let mut report = Report::default();
            assert_eq!(draw(&source, &mut report).is_none(), report.failed(), "{path:?} = {number}");
        }
    }
}

fn integers(table: &toml::Table, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            toml::Value::Integer(_) if !path.iter().any(|it| it == "values") => paths.push(path.clone()),
            toml::Value::Table(table) => integers(table, path, paths),
            _ => {}
        }
        path.pop();
    }
}
