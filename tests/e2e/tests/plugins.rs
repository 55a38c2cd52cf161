//! The life of a plugin at a site: brought, granted, used, upgraded, rolled back, removed; each on the real path, where a
//! container is made through it.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{
    Done, World,
    plugin::{embed, refused, show, validate},
    run,
};
use davit_fixtures::daemon::programs;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// The shipped choices.
const SITE: &str = r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
"#;

/// And the plugin `house`, which gives every container a label.
const WITH_HOUSE: &str = r#"[[lifecycle]]
plugin = "house"
fail = "closed"
[plugins.house.config]
labels = { team = "red" }
"#;

const LABELS: &str = "adjust /labels/*";

struct Site {
    world: World,
    dir: tempfile::TempDir,
}

impl Site {
    fn start() -> Result<Self> {
        let site = Self { world: World::with_site(Some(SITE))?, dir: tempfile::tempdir()? };
        site.world.pull()?;
        Ok(site)
    }

    /// The shipped plugin `site-defaults` as version `version` of a plugin `house`, which needs this.
    fn house(&self, version: &str, needs: &str, limits: &str) -> Result<PathBuf> {
        self.house_of("site-defaults", version, needs, limits)
    }

    /// Another shipped plugin in the same role.
    fn house_of(&self, shipped: &str, version: &str, needs: &str, limits: &str) -> Result<PathBuf> {
        let why = if needs.contains("adjust") { "adjust = \"labels say whose it is\"" } else { "" };
        let manifest = format!(
            "[plugin]\nname = \"house\"\nversion = \"{version}\"\n[needs]\n{needs}\n[why]\n{why}\n[limits]\n{limits}\n"
        );
        embed(&self.world.daemon, self.dir.path(), shipped, &manifest, &format!("house-{version}.wasm"))
    }

    fn davit(&self, words: &[&str]) -> Result<Done> {
        self.world.davit(words)
    }

    /// Makes the site's file say this, and reads it.
    fn says(&self, more: &str) -> Result<Done> {
        let file = self.world.daemon.site_file().context("the site has a file")?;
        fs::write(file, format!("{SITE}{more}"))?;
        self.davit(&["reload"])
    }

    /// The label that a new container has from the plugin.
    fn label(&self) -> Result<String> {
        let made = self.davit(&["create", "IMAGE", "true"])?.success()?;
        let shown = self.davit(&["inspect", "-f", "{{index .Config.Labels \"team\"}}", made.out()])?.success()?;
        self.davit(&["rm", made.out()])?.success()?;
        Ok(shown.out().to_owned())
    }

    /// A fact about the plugin.
    fn of_house(&self, template: &str) -> Result<String> {
        Ok(self.davit(&["plugin", "inspect", "-f", template, "house"])?.success()?.out().to_owned())
    }
}

/// A component with this manifest in it, however bad: `davit plugin embed` would not write it.
fn component_with(dir: &Path, manifest: &str) -> Result<PathBuf> {
    let silent = programs().parent().context("programs lie in a folder")?.join("plugins/guests/no-manifest.wasm");
    let mut bytes = fs::read(silent)?;
    let leb128 = |mut size: usize| -> Result<Vec<u8>> {
        let mut out = Vec::new();
        while size > 0x7f {
            out.push(u8::try_from(size & 0x7f)? | 0x80);
            size >>= 7;
        }
        out.push(u8::try_from(size)?);
        Ok(out)
    };
    let title = "davit:plugin";
    let mut section = leb128(title.len())?;
    section.extend([title.as_bytes(), manifest.as_bytes()].concat());
    bytes.push(0);
    bytes.extend(leb128(section.len())?);
    bytes.extend(section);
    let path = dir.join("by-hand.wasm");
    fs::write(&path, bytes)?;
    Ok(path)
}

#[test]
fn nobody_is_asked_in_words_that_draw_over_the_question() -> Result<()> {
    let site = Site::start()?;
    let asks = "[plugin]\nname = \"sly\"\nversion = \"1\"\n[needs]\nstate = true\n";
    // As it should be, beside one that is not: it says no reason, and that is remarked on.
    let plain = component_with(site.dir.path(), asks)?;
    refused(
        &site.davit(&["plugin", "install", show(&plain)])?,
        &["16 MiB of its own (state): no reason given", "--yes"],
    )?;
    let checked = site.davit(&["plugin", "check", show(&plain)])?.success()?;
    ensure!(checked.stdout.contains("(state): no reason given"), "{checked:?}");
    for why in [r"x\nIt asks for nothing\u001b[2K\u001b[1A", r"\u202etsurt", "\u{2066}trust", &"trust ".repeat(60)] {
        let sly = component_with(site.dir.path(), &format!("{asks}[why]\nstate = \"{why}\"\n"))?;
        for verb in ["install", "check", "test"] {
            let done = site.davit(&["plugin", verb, show(&sly)])?;
            refused(&done, &["[why] the sentence for state h"])?;
            let drawn = |c: char| matches!(c, '\u{1b}' | '\u{202e}' | '\u{2066}');
            ensure!(!done.stderr.contains(drawn) && done.stdout.is_empty(), "{done:?}");
        }
    }
    let other = component_with(site.dir.path(), &format!("{asks}[why]\nhttp = \"nothing of it\"\n"))?;
    refused(&site.davit(&["plugin", "install", "-y", show(&other)])?, &["which [needs] does not ask for"])?;
    site.world.daemon.finish()
}

#[test]
fn a_device_is_no_component_and_a_digest_is_no_place_to_push_to() -> Result<()> {
    let site = Site::start()?;
    refused(&site.davit(&["plugin", "install", "-y", "/dev/zero"])?, &["/dev/zero", "it is no regular file"])?;
    let house = site.house("1.0", "adjust = [\"/labels/*\"]", "")?;
    for name in ["127.0.0.1:1/site/house", "127.0.0.1:1/site/house:1.0"] {
        let to = format!("{name}@sha256:{}", "a".repeat(64));
        refused(&site.davit(&["plugin", "push", show(&house), &to])?, &["a plugin is pushed to a tag", "sha256:aaaa"])?;
    }
    site.world.daemon.finish()
}

#[test]
fn a_plugin_is_installed_with_what_the_operator_grants_and_no_more() -> Result<()> {
    let site = Site::start()?;
    let house = site.house("1.0", "adjust = [\"/labels/*\"]", "")?;
    let file = show(&house);

    // Nobody is there to be asked, so that nothing is granted and nothing installed.
    let asked = site.davit(&["plugin", "install", file])?;
    refused(&asked, &["change /labels/* of what users ask for", "labels say whose it is", "--yes"])?;
    refused(&site.davit(&["plugin", "inspect", "house"])?, &["No such plugin: house"])?;
    refused(&site.says(WITH_HOUSE)?, &["plugin house", "davit plugin install"])?;

    let wide = site.dir.path().join("grant.toml");
    fs::write(&wide, "http = [\"https://elsewhere.example\"]\n")?;
    let more = site.davit(&["plugin", "install", "--grant", show(&wide), file])?;
    refused(&more, &["does not ask for \"http https://elsewhere.example\"", LABELS])?;
    fs::write(&wide, "digest = \"sha256:00\"\nadjust = [\"/labels/*\"]\n")?;
    refused(&site.davit(&["plugin", "install", "--grant", show(&wide), file])?, &["the grant is for sha256:00"])?;

    let installed = site.davit(&["plugin", "install", "--no-grant", file])?.success()?;
    assert_eq!(installed.out(), "house");
    assert!(installed.stderr.contains("does not use it yet"), "{installed:?}");
    refused(&site.davit(&["plugin", "install", "-y", file])?, &["house is installed already"])?;
    assert_eq!(site.of_house("{{.State}}")?, "enabled");

    // In use, and granted nothing: each call of it is refused, and the error says what is missing.
    site.says(WITH_HOUSE)?.success()?;
    assert_eq!(site.of_house("{{.State}} {{json .UsedAs}}")?, "in use [\"lifecycle #1\"]");
    refused(&site.davit(&["create", "IMAGE", "true"])?, &["house", "adjusting /labels/team", "grant"])?;
    assert_eq!(site.davit(&["plugin", "grant", "house", LABELS])?.success()?.out(), LABELS);
    assert_eq!(site.label()?, "red");
    // Revoked, it acts on the next call.
    site.davit(&["plugin", "revoke", "house", LABELS])?.success()?;
    refused(&site.davit(&["create", "IMAGE", "true"])?, &["adjusting /labels/team"])?;
    site.davit(&["plugin", "grant", "-y", "house"])?.success()?;
    assert_eq!(site.label()?, "red");

    let listed = site.davit(&["plugin", "stats", "--format", "{{.Name}} {{.Refused}}", "house"])?.success()?;
    assert_eq!(listed.out(), "house 2");
    for verb in ["rm", "disable"] {
        refused(&site.davit(&["plugin", verb, "house"])?, &["it is in use: lifecycle #1"])?;
    }
    site.says("")?.success()?;
    site.davit(&["plugin", "disable", "house"])?.success()?;
    refused(&site.says(WITH_HOUSE)?, &["disabled", "davit plugin enable house"])?;
    site.davit(&["plugin", "enable", "house"])?.success()?;
    site.says(WITH_HOUSE)?.success()?;
    site.says("")?.success()?;
    site.davit(&["plugin", "rm", "house"])?.success()?;
    refused(&site.davit(&["plugin", "rm", "house"])?, &["No such plugin"])?;
    refused(&site.davit(&["plugin", "rm", "overlay"])?, &["was not installed"])?;
    site.world.daemon.finish()
}

#[test]
fn a_sites_file_is_looked_at_with_what_is_installed() -> Result<()> {
    let mut site = Site::start()?;
    let house = site.house("1.0", "adjust = [\"/labels/*\"]", "")?;
    site.davit(&["plugin", "install", "-y", show(&house)])?.success()?;
    site.says(WITH_HOUSE)?.success()?;
    // The store is that of the daemon that runs; whoever wants to know asks it.
    refused(&validate(&site.world.daemon)?, &["a daemon runs on", "davit reload", "plugin house"])?;
    site.world.daemon.stop()?;
    let seen = validate(&site.world.daemon)?.success()?;
    ensure!(seen.stderr.contains("configuration OK"), "{seen:?}");
    site.world.daemon.finish()
}

#[test]
fn an_upgrade_that_asks_for_more_waits_and_one_that_does_not_answer_goes_back() -> Result<()> {
    let mut site = Site::start()?;
    let one = site.house("1.0", "adjust = [\"/labels/*\"]", "")?;
    let two = site.house("2.0", "adjust = [\"/labels/*\"]\nstate = true", "")?;
    let lean = site.house("2.1", "adjust = [\"/labels/*\"]", "")?;
    let broken = site.house("2.2", "adjust = [\"/labels/*\"]", "memory = \"64KiB\"")?;
    let other = site.house_of("none", "3.0", "", "")?;
    site.davit(&["plugin", "install", "-y", show(&one)])?.success()?;
    site.says(WITH_HOUSE)?.success()?;

    let held = site.davit(&["plugin", "upgrade", "house", show(&two)])?;
    refused(&held, &["  + state", "held until it is granted", "davit plugin grant house"])?;
    assert_eq!(site.of_house("{{.Version}} {{.Held.Version}}")?, "1.0 2.0");
    let listed = site.davit(&["plugin", "ls", "--format", "{{.Name}}: {{.State}}"])?.success()?;
    assert!(listed.stdout.contains("house: in use (2.0 waits for a grant)"), "{listed:?}");
    assert_eq!(site.label()?, "red");
    site.davit(&["plugin", "grant", "-y", "house"])?.success()?;
    assert_eq!(site.of_house("{{.Version}} {{json .Granted}}")?, format!("2.0 [{LABELS:?},\"state\"]"));

    // One that asks for less goes through, and has no more than it asks for.
    site.davit(&["plugin", "upgrade", "house", show(&lean)])?.success()?;
    assert_eq!(site.of_house("{{.Version}} {{json .Granted}}")?, format!("2.1 [{LABELS:?}]"));

    // One that cannot even wake up is refused before anything, and one that cannot do its duty is rolled back by itself.
    refused(&site.davit(&["plugin", "upgrade", "house", show(&broken)])?, &["house@2.2", "memory of 64 KiB"])?;
    let failed = site.davit(&["plugin", "upgrade", "house", show(&other)])?;
    refused(&failed, &["house stays at 2.1", "rolled back", "not of kind lifecycle"])?;
    assert_eq!(site.of_house("{{.Version}} {{.Failure.Version}}")?, "2.1 3.0");
    assert!(site.of_house("{{.Failure.Reason}}")?.contains("not of kind lifecycle"));
    assert_eq!(site.label()?, "red");

    site.davit(&["plugin", "rollback", "house"])?.success()?;
    site.davit(&["plugin", "rollback", "house"])?.success()?;
    assert_eq!(site.of_house("{{.Version}}")?, "1.0");
    refused(&site.davit(&["plugin", "rollback", "house"])?, &["no version before"])?;

    // Another daemon has the same plugins with the same grants.
    site.world.daemon.kill()?;
    site.world.daemon.launch()?;
    assert_eq!(site.of_house("{{.Version}} {{.State}}")?, "1.0 in use");
    assert_eq!(site.label()?, "red");
    site.world.daemon.finish()
}

#[test]
fn an_upgrade_that_asks_for_a_part_goes_through_and_one_that_asks_for_more_waits_whatever_is_said() -> Result<()> {
    let site = Site::start()?;
    let one = site.house("1.0", "adjust = [\"/labels/*\"]\nstate = true", "")?;
    let two = site.house("2.0", "adjust = [\"/labels/team\"]", "")?;
    let three = site.house("3.0", "adjust = [\"/labels/team\", \"/env/*\"]", "")?;
    site.davit(&["plugin", "install", "-y", show(&one)])?.success()?;
    site.says(WITH_HOUSE)?.success()?;

    let through = site.davit(&["plugin", "upgrade", "house", show(&two)])?.success()?;
    assert_eq!(through.out(), "house 2.0");
    assert_eq!(site.of_house("{{json .Granted}}")?, "[\"adjust /labels/team\"]", "no more than it asks for");
    assert_eq!(site.label()?, "red");

    for said in [[].as_slice(), &["--no-grant"]] {
        let held = site.davit(&[&["plugin", "upgrade"], said, &["house", show(&three)]].concat())?;
        refused(&held, &["  + adjust /env/*", "held until it is granted"])?;
        let waits = site.of_house("{{.Version}} {{.Held.Version}} {{json .Held.More}}")?;
        assert_eq!(waits, "2.0 3.0 [\"adjust /env/*\"]");
    }
    // A part of what it asks for is granted, and revoked with more than that.
    site.davit(&["plugin", "grant", "house", "adjust /env/A"])?.success()?;
    assert_eq!(site.of_house("{{.Version}} {{json .Granted}}")?, "3.0 [\"adjust /env/A\",\"adjust /labels/team\"]");
    refused(&site.davit(&["plugin", "revoke", "house", "adjust /user"])?, &["was not granted", "adjust /env/A"])?;
    let left = site.davit(&["plugin", "revoke", "house", "adjust /env/*"])?.success()?;
    assert_eq!(left.out(), "adjust /labels/team");

    // Of methods, fewer are a part of more.
    let upgraded = |version: &str, http: &str, said: &[&str]| -> Result<Done> {
        let next = site.house(version, &format!("adjust = [\"/labels/team\"]\nhttp = [\"{http}\"]"), "")?;
        site.davit(&[&["plugin", "upgrade"], said, &["house", show(&next)]].concat())
    };
    upgraded("4.0", "GET,POST https://a.example", &["-y"])?.success()?;
    upgraded("4.1", "POST https://a.example", &[])?.success()?;
    let granted = site.of_house("{{.Version}} {{json .Granted}}")?;
    assert_eq!(granted, "4.1 [\"http POST https://a.example\",\"adjust /labels/team\"]");
    refused(&upgraded("5.0", "https://a.example", &["--no-grant"])?, &["held until it is granted"])?;
    site.world.daemon.finish()
}

#[test]
fn a_method_or_an_origin_beyond_the_grant_is_refused_by_name_where_plugins_run() -> Result<()> {
    let site = Site::start()?;
    let guest = programs().parent().context("programs lie in a folder")?.join("plugins/guests/misbehaving-kinds.wasm");
    let (grant, token) = (site.dir.path().join("grant.toml"), site.dir.path().join("token"));
    fs::write(&token, "r34d")?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    fs::write(
        &grant,
        "http = [\"https://vault.example\", \"GET https://reader.example\"]\n\
         secrets = [\"reader-token https://reader.example\"]\n",
    )?;
    site.davit(&["plugin", "install", "--alias", "bad", "--grant", show(&grant), show(&guest)])?.success()?;
    for (behave, said) in [
        ("wrong-method", "http POST https://reader.example"),
        ("secret-to-another-origin", "secret \"reader-token\" towards https://vault.example"),
    ] {
        let more = format!(
            "[secrets]\nreader-token = \"{}\"\n[[lifecycle]]\nplugin = \"bad\"\nfail = \"closed\"\n\
             [plugins.bad.config]\nbehave = \"{behave}\"\n",
            show(&token)
        );
        site.says(&more)?.success()?;
        refused(&site.davit(&["create", "IMAGE", "true"])?, &["bad", said, "grant"])?;
    }
    site.world.daemon.finish()
}

#[test]
fn a_plugin_travels_through_a_registry() -> Result<()> {
    let site = Site::start()?;
    let house = site.house("1.0", "adjust = [\"/labels/*\"]", "")?;
    let name = format!("{}/site/house:1.0", site.world.registry.host);

    site.davit(&["plugin", "push", show(&house), &name])?.success()?;
    let copy = site.dir.path().join("copy.wasm");
    let pulled = site.davit(&["plugin", "pull", "-q", "-o", show(&copy), &name])?.success()?;
    assert!(pulled.out().starts_with("sha256:"), "{pulled:?}");
    assert_eq!(fs::read(&copy)?, fs::read(&house)?, "byte for byte");
    // As others read it: the layout that is agreed on, and the name of a file, without which `oras pull` writes none.
    let mut inspect = Command::new("skopeo");
    inspect.args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")]);
    let manifest: serde_json::Value = serde_json::from_str(&run(inspect, None)?.success()?.stdout)?;
    let at = |pointer: &str| manifest.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    assert_eq!(at("/config/mediaType"), "application/vnd.wasm.config.v0+json");
    assert_eq!(at("/layers/0/mediaType"), "application/wasm");
    assert_eq!(at("/layers/0/annotations/org.opencontainers.image.title"), "house.wasm");

    refused(&site.davit(&["pull", &name])?, &["is a plugin, not an image", "davit plugin install"])?;
    refused(&site.davit(&["plugin", "install", "-y", "IMAGE"])?, &["is no plugin"])?;
    let missing = format!("{}/site/none:1", site.world.registry.host);
    refused(&site.davit(&["plugin", "install", "-y", &missing])?, &["not found"])?;

    site.davit(&["plugin", "install", "-y", "--alias", "mansion", &name])?.success()?;
    site.says(&WITH_HOUSE.replace("house", "mansion"))?.success()?;
    assert_eq!(site.label()?, "red");
    let source = site.davit(&["plugin", "inspect", "-f", "{{.Source}}", "mansion"])?.success()?;
    assert_eq!(source.out(), name);

    // What another version is pushed under the same tag is what an upgrade without words brings.
    let next = site.house("1.1", "adjust = [\"/labels/*\"]", "")?;
    site.davit(&["plugin", "push", "-q", show(&next), &name])?.success()?;
    let upgraded = site.davit(&["plugin", "upgrade", "mansion"])?.success()?;
    assert_eq!(upgraded.out(), "mansion 1.1");
    // An image prune leaves what plugins are made of.
    site.davit(&["image", "prune", "-a", "-f"])?.success()?;
    site.davit(&["pull", "-q", "IMAGE"])?.success()?;
    site.says(&WITH_HOUSE.replace("house", "mansion"))?.success()?;
    assert_eq!(site.label()?, "red");
    site.davit(&["plugin", "push", "-q", "mansion", &format!("{}/site/again:1", site.world.registry.host)])?
        .success()?;
    site.world.daemon.finish()
}
