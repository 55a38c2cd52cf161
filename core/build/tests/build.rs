//! Whole builds against a keeper of images in memory.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod memory;

use davit_build::Options;
use memory::{Memory, Tar, build_from};
use serde_json::json;
use std::{collections::BTreeMap, io::Write, sync::Arc};

fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn context(dockerfile: &str) -> Tar {
    Tar::new().file("Dockerfile", dockerfile)
}

/// Builds, and answers the entries of each layer.
async fn layers(images: &Arc<Memory>, context: Vec<u8>) -> Vec<Vec<String>> {
    build_from(images, &context, Options::default()).await.unwrap();
    images.entries("t:latest")
}

#[tokio::test]
async fn an_image_is_made_from_files_and_settings() {
    let images = Arc::new(Memory::default());
    let dockerfile = r#"# a comment
ARG who=nobody
FROM scratch
ARG who
ENV GREETING="hello $who" LANG=C
COPY hello /bin/
WORKDIR srv/data
COPY pages ./www
LABEL a="b c"
EXPOSE 80 90-91/udp
VOLUME /data
USER 1000:1000
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/hello"]
CMD serve \
    --all
MAINTAINER Somebody
"#;
    let tar = context(dockerfile).file("hello", "#!").folder("pages", 0o750).file("pages/a", "A").link("pages/b", "/a");
    let options = Options { args: args(&[("who", "world")]), labels: args(&[("x", "$y 'z'")]), ..Options::default() };
    let id = build_from(&images, &tar.done(), options).await.unwrap();
    let config = images.config("t:latest");
    assert_eq!(
        config["config"],
        json!({
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GREETING=hello world", "LANG=C",
            ],
            "WorkingDir": "/srv/data",
            "Labels": {"a": "b c", "x": "$y 'z'"},
            "ExposedPorts": {"80/tcp": {}, "90/udp": {}, "91/udp": {}},
            "Volumes": {"/data": {}},
            "User": "1000:1000",
            "StopSignal": "SIGINT",
            "Entrypoint": ["/bin/hello"],
            "Cmd": ["/bin/sh", "-c", "serve     --all"],
        })
    );
    assert_eq!((&config["author"], &config["os"]), (&json!("Somebody"), &json!("linux")));
    assert_eq!(
        images.entries("t:latest"),
        [
            vec!["bin/ 755 0:0", "bin/hello 640 0:0 #!"],
            vec!["srv/ 755 0:0", "srv/data/ 755 0:0"],
            vec![
                "srv/ 755 0:0",
                "srv/data/ 755 0:0",
                "srv/data/www/ 750 0:0",
                "srv/data/www/a 640 0:0 A",
                "srv/data/www/b -> /a",
            ],
        ]
    );
    // Each layer belongs to a step of the history; the manifest names what the configuration names.
    let with_layer = config["history"].as_array().unwrap().iter().filter(|s| s["empty_layer"] != true).count();
    assert_eq!(with_layer, 3);
    assert_eq!(images.manifest()["config"]["digest"], id.to_string());
    assert_eq!(images.manifest()["layers"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn progress_is_told_as_dockers_old_builder_tells_it() {
    let images = Arc::new(Memory::default());
    let tar = context("FROM scratch\nCOPY a /\nENV b=c\n").file("a", "A").done();
    let options = Options { args: args(&[("unused", "1")]), ..Options::default() };
    let id = build_from(&images, &tar, options).await.unwrap();
    let said = images.said();
    let lines: Vec<&str> = said.lines().map(|l| if l.starts_with(" ---> ") { " --->" } else { l }).collect();
    let built = format!("Successfully built {}", id.short());
    let step = |n| ["Step 1/3 : FROM scratch", "Step 2/3 : COPY a /", "Step 3/3 : ENV b=c"][n];
    let warning = r#"[Warning] One or more build-args ["unused"] were not consumed"#;
    let expected =
        [step(0), " --->", step(1), " --->", step(2), " --->", warning, &built, "Successfully tagged t:latest"];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_same_files_are_the_same_layer_and_the_same_image() {
    let images = Arc::new(Memory::default());
    let tar = |text: &str| context("FROM scratch\nCOPY a /x/\nCMD [\"/x/a\"]\n").file("a", text).done();
    let first = build_from(&images, &tar("A"), Options::default()).await.unwrap();
    assert!(!images.said().contains("Using cache"));
    let again = build_from(&images, &tar("A"), Options::default()).await.unwrap();
    assert!(images.said().contains("Step 2/3 : COPY a /x/\n ---> Using cache\n"));
    assert_eq!(first, again);
    let other = build_from(&images, &tar("B"), Options::default()).await.unwrap();
    assert_ne!(first, other);
    // With a time of its own a build is the same wherever it is done.
    let epoch = Options { args: args(&[("SOURCE_DATE_EPOCH", "1000")]), ..Options::default() };
    let here = build_from(&images, &tar("A"), epoch.clone()).await.unwrap();
    let there = build_from(&Arc::new(Memory::default()), &tar("A"), epoch).await.unwrap();
    assert_eq!(here, there);
    assert_eq!(images.config("t:latest")["created"], "1970-01-01T00:16:40Z");
}

#[tokio::test]
async fn a_stage_copies_from_a_stage_and_from_an_image() {
    let images = Arc::new(Memory::default());
    let lower = Tar::new().file("gone", "1").folder("etc", 0o755).file("etc/old", "2").file("kept", "3");
    let upper = Tar::new().file(".wh.gone", "").folder("etc", 0o755).file("etc/new", "4").file("etc/.wh..wh..opq", "");
    images.image("base:1", &[lower.done(), upper.done()], json!({}));
    let dockerfile = "FROM scratch AS one\nCOPY a /deep/a\nFROM one AS two\nCOPY a /deep/b\nFROM scratch\n\
        COPY --from=two /deep /\nCOPY --from=base:1 / /base/\nCOPY --from=0 --chmod=700 deep/* /only/\n";
    let found = layers(&images, context(dockerfile).file("a", "A").done()).await;
    assert_eq!(
        found,
        [
            vec!["a 640 0:0 A", "b 640 0:0 A"],
            vec!["base/ 755 0:0", "base/etc/ 755 0:0", "base/etc/new 640 0:0 4", "base/kept 640 0:0 3"],
            vec!["only/ 755 0:0", "only/a 700 0:0 A"],
        ]
    );
}

#[tokio::test]
async fn what_is_beneath_keeps_its_modes_and_its_links() {
    let images = Arc::new(Memory::default());
    let base = Tar::new()
        .folder("tmp", 0o1777)
        .folder("run", 0o755)
        .folder("usr", 0o755)
        .folder("usr/lib", 0o711)
        .link("lib", "usr/lib")
        .folder("var", 0o755)
        .link("var/run", "/run")
        .folder("etc", 0o755)
        .file("etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n")
        .file("etc/group", "web:x:44:\n");
    images.image("base:1", &[base.done()], json!({"Cmd": ["sh"], "Env": ["D=/tmp"]}));
    let dockerfile = "FROM base:1\nCOPY a $D/\nCOPY a /var/run/pid\nCOPY libs /\nCOPY --chown=web:web a /home/w/\n\
        WORKDIR /tmp\nWORKDIR /var/run\nCOPY a .\nENTRYPOINT [\"x\"]\n";
    let tar =
        context(dockerfile).file("a", "A").folder("libs", 0o755).folder("libs/lib", 0o755).file("libs/lib/x", "X");
    assert_eq!(
        layers(&images, tar.done()).await[1..],
        [
            vec!["tmp/ 1777 1234:1234", "tmp/a 640 0:0 A"],
            vec!["run/ 755 1234:1234", "run/pid 640 0:0 A"],
            vec!["usr/ 755 1234:1234", "usr/lib/ 711 1234:1234", "usr/lib/x 640 0:0 X"],
            vec!["home/ 755 33:44", "home/w/ 755 33:44", "home/w/a 640 33:44 A"],
            vec!["run/ 755 1234:1234", "run/a 640 0:0 A"],
        ]
    );
    let config = images.config("t:latest");
    assert_eq!(config["config"]["WorkingDir"], "/var/run");
    assert_eq!(config["config"].get("Cmd"), None, "the base's command was for the base's entry point");
}

#[tokio::test]
async fn names_of_one_file_stay_one_file() {
    let images = Arc::new(Memory::default());
    let tar = context("FROM scratch\nCOPY bin /bin\n").folder("bin", 0o755).file("bin/a", "A").hard("bin/b", "bin/a");
    assert_eq!(layers(&images, tar.done()).await, [["bin/ 755 0:0", "bin/a 640 0:0 A", "bin/b == bin/a"]]);
}

#[tokio::test]
async fn long_names_and_links_come_through() {
    let images = Arc::new(Memory::default());
    let (name, target) = ("n".repeat(90), "/".to_owned() + &"t/".repeat(40));
    let tar = context(&format!("FROM scratch\nCOPY d /{}/\n", "f".repeat(200)))
        .folder("d", 0o755)
        .file(&format!("d/{name}"), "A")
        .link("d/l", &target);
    let found = layers(&images, tar.done()).await.remove(0);
    let folder = "f".repeat(200);
    assert_eq!(
        found,
        [format!("{folder}/ 755 0:0"), format!("{folder}/l -> {target}"), format!("{folder}/{name} 640 0:0 A"),]
    );
}

#[tokio::test]
async fn what_dockerignore_names_is_not_there() {
    let images = Arc::new(Memory::default());
    let tar = context("FROM scratch\nCOPY . /\n").file(".dockerignore", "*\n!src\nsrc/*.o\n").folder("src", 0o755);
    let tar = tar.file("src/a.c", "C").file("src/a.o", "O").file("secret", "S");
    assert_eq!(layers(&images, tar.done()).await, [["src/ 755 0:0", "src/a.c 640 0:0 C"]]);
    let tar = context("FROM scratch\nCOPY secret /\n").file(".dockerignore", "secret\n").file("secret", "S");
    let error = build_from(&images, &tar.done(), Options::default()).await.unwrap_err();
    assert_eq!(error, "Dockerfile:2: COPY failed: no such file in the build context: \"secret\"");
}

#[tokio::test]
async fn add_unpacks_archives_and_copy_does_not() {
    let images = Arc::new(Memory::default());
    let inner = Tar::new().folder("d", 0o700).file("d/f", "F").done();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&inner).unwrap();
    let packed = packed.finish().unwrap();
    let mut text = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    text.write_all(b"no archive").unwrap();
    let tar = context("FROM scratch\nADD i.tar p.tgz /x/\nADD a /x/\n").bytes("i.tar", &inner).bytes("p.tgz", &packed);
    assert_eq!(
        layers(&images, tar.file("a", "A").done()).await,
        [
            // The second lays the same upon the first.
            vec![
                "x/ 755 0:0",
                "x/d/ 700 1234:1234",
                "x/d/f 640 1234:1234 F",
                "x/d/ 700 1234:1234",
                "x/d/f 640 1234:1234 F"
            ],
            vec!["x/ 755 0:0", "x/a 640 0:0 A"],
        ]
    );
    let tar = context("FROM scratch\nADD --chown=5 i.tar /\n").bytes("i.tar", &inner).done();
    assert_eq!(layers(&images, tar).await, [["d/ 700 5:5", "d/f 640 5:5 F"]]);
    let tar = context("FROM scratch\nADD t.xz /\n").bytes("t.xz", b"\xfd7zXZ\0").done();
    let error = build_from(&images, &tar, Options::default()).await.unwrap_err();
    assert!(error.contains("bzip2 and xz are not supported"), "{error}");
}

#[tokio::test]
async fn a_compressed_context_is_read() {
    let images = Arc::new(Memory::default());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&context("FROM scratch\nCOPY a /\n").file("a", "A").done()).unwrap();
    assert_eq!(layers(&images, packed.finish().unwrap()).await, [["a 640 0:0 A"]]);
    let other = "FROM scratch\nCOPY Dockerfile /\n";
    let tar = context(other).folder("sub", 0o755).file("sub/Other", "FROM scratch\nENV other=1\n").done();
    let options = Options { dockerfile: "sub/Other".into(), ..Options::default() };
    build_from(&images, &tar, options).await.unwrap();
    assert!(images.entries("t:latest").is_empty());
}

#[tokio::test]
async fn what_is_not_done_is_refused_with_its_line_before_any_work() {
    let images = Arc::new(Memory::default());
    for (dockerfile, expected) in [
        ("FROM scratch\nCOPY a /\nRUN make", "Dockerfile:3: RUN is not supported yet: "),
        ("FROM scratch\n\nONBUILD RUN x", "Dockerfile:3: ONBUILD is not supported yet: "),
        ("FROM scratch\nHEALTHCHECK CMD x", "Dockerfile:2: HEALTHCHECK is not supported yet: "),
        ("FROM scratch\nADD https://x/y /", "Dockerfile:2: ADD of a URL or a repository is not supported yet: "),
        ("FROM scratch\nCOPY <<E /a\nx\nE", "Dockerfile:2: a here-document (<<) is not supported yet: "),
        ("FROM scratch\nCOPY --link a /", "Dockerfile:2: COPY: the flag --link is not supported"),
        ("FROM scratch\nFETCH x", "Dockerfile:2: unknown instruction: FETCH"),
        ("FROM none:1", "Dockerfile:1: cannot get the base image: no such image"),
        ("FROM scratch\nCOPY none /", "Dockerfile:2: COPY failed: no such file in the build context: \"none\""),
        ("FROM scratch\nCOPY *.none /", "Dockerfile:2: COPY failed: no such file in the build context: \"*.none\""),
        ("FROM scratch\nCOPY a b /c", "Dockerfile:2: COPY failed: with more than one source"),
        ("FROM scratch\nCOPY ../a /", "Dockerfile:2: COPY failed: \"../a\" leads out of the build context"),
        ("FROM scratch\nCOPY out /", "Dockerfile:2: COPY failed: \"out\" leads out of the build context"),
        ("FROM scratch\nCOPY abs/x /", "Dockerfile:2: COPY failed: \"abs/x\" leads out of the build context"),
        ("FROM scratch\nCOPY device /", "Dockerfile:2: COPY failed: \"device\" is a device, which is not copied"),
        ("FROM scratch\nCOPY a /x\nCOPY d /x", "Dockerfile:3: COPY failed: \"x\" exists and is not a folder"),
        ("FROM scratch\nCOPY d /x\nCOPY f /", "Dockerfile:3: COPY failed: \"x\" is a folder already"),
        ("FROM scratch\nCOPY a /.wh.b", "Dockerfile:2: COPY failed: \".wh.b\": names that begin"),
        ("FROM scratch\nCOPY --chown=web a /", "Dockerfile:2: --chown: \"web\" is not in the image's /etc/passwd"),
        ("FROM scratch\nCOPY --chmod=u+x a /", "Dockerfile:2: COPY: --chmod wants an octal mode"),
        ("FROM scratch\nENV a=${b:?needed}", "Dockerfile:2: b: needed"),
        ("FROM scratch\nEXPOSE x", "Dockerfile:2: EXPOSE: not a port"),
    ] {
        let tar = context(dockerfile)
            .file("a", "A")
            .file("b", "B")
            .folder("d", 0o755)
            .file("d/a", "A")
            .folder("f", 0o755)
            .file("f/x", "X")
            .link("out", "../../etc/passwd")
            .link("abs", "/etc")
            .device("device");
        let error = build_from(&images, &tar.done(), Options::default()).await.unwrap_err();
        assert!(error.starts_with(expected), "{dockerfile:?}: {error}");
    }
    let missing = build_from(&images, &Tar::new().file("x", "").done(), Options::default()).await.unwrap_err();
    assert_eq!(missing, "failed to read dockerfile: no file \"Dockerfile\" in the build context");
    let options = Options { target: Some("none".into()), ..Options::default() };
    let target = build_from(&images, &context("FROM scratch").done(), options).await.unwrap_err();
    assert!(target.contains("failed to reach build target none"), "{target}");
}

#[tokio::test]
async fn a_context_that_reaches_out_is_refused_whole() {
    let images = Arc::new(Memory::default());
    let dockerfile = "FROM scratch\nCOPY . /\n";
    for (tar, why) in [
        (context(dockerfile).file("../x", ""), "\"../x\" leads out of the archive"),
        (context(dockerfile).file("a/../../x", ""), "leads out of the archive"),
        (context(dockerfile).file("/etc/x", ""), "\"/etc/x\" leads out of the archive"),
        (context(dockerfile).link("l", "/etc").file("l/passwd", "x"), "\"l/passwd\" lies beneath something"),
        (context(dockerfile).hard("h", "/etc/passwd"), "names \"/etc/passwd\", which is no file before it"),
        (context(dockerfile).hard("h", "../x"), "which is no file before it"),
    ] {
        let error = build_from(&images, &tar.done(), Options::default()).await.unwrap_err();
        assert!(error.starts_with("the build context cannot be used") && error.contains(why), "{error}");
    }
    let mut cut = context(dockerfile).file("a", &"A".repeat(5000)).done();
    cut.truncate(2500);
    let error = build_from(&images, &cut, Options::default()).await.unwrap_err();
    assert!(error.contains("cannot be read"), "{error}");
    assert!(build_from(&images, b"<html>no archive at all</html>", Options::default()).await.is_err());
}
