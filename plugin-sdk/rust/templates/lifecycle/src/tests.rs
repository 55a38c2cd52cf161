//! The hooks over the mock host: what is adjusted, what is refused, what is logged.

use super::MyPlugin;
use davit_plugin_sdk::{
    host::log::Level,
    lifecycle::{
        Adjustment, Admit as _, AfterExit as _, BeforeStart as _, Error, Event, Mutate as _, Observe as _, Operation,
    },
    mock::{
        Site, Value, json,
        lifecycle::{Asked, Change, Happened},
    },
};

fn create(request: Value) -> Operation {
    Operation::from(Asked::to_create(request))
}

fn adjusted(request: Value) -> Vec<Change> {
    let adjustment = Adjustment::new();
    MyPlugin::mutate(&create(request), &adjustment).unwrap();
    adjustment.recorded()
}

#[test]
fn a_container_without_a_team_gets_the_sites() {
    let site = Site::new();
    assert_eq!(adjusted(json!({})), [], "the site names none");
    site.config(json!({"team": "web"}));
    assert_eq!(adjusted(json!({})), [Change::Set { path: "/labels/team".to_owned(), value: json!("web") }]);
    assert_eq!(adjusted(json!({"labels": {"team": "db"}})), []);
    let adjustment = Adjustment::new();
    let start = Operation::from(Asked { kind: "container.start".to_owned(), ..Asked::default() });
    MyPlugin::mutate(&start, &adjustment).unwrap();
    assert_eq!(adjustment.recorded(), []);
}

#[test]
fn a_missing_right_is_handed_on() {
    let site = Site::new();
    site.config(json!({"team": "web"}));
    site.refuse("adjust");
    let refused = MyPlugin::mutate(&create(json!({})), &Adjustment::new());
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
}

#[test]
fn images_that_begin_so_are_neither_pulled_nor_run() {
    let site = Site::new();
    site.config(json!({"refuse": ["docker.io/"]}));
    let text = "image docker.io/a is refused: images that begin with docker.io/ are";
    let denied = Err(Error::Denied(text.to_owned()));
    let asked = |kind: &str, image: Option<&str>| {
        let image = image.map(str::to_owned);
        MyPlugin::admit(&Operation::from(Asked { kind: kind.to_owned(), image, ..Asked::default() }))
    };
    assert_eq!(asked("container.create", Some("docker.io/a")), denied);
    assert_eq!(asked("image.pull", Some("docker.io/a")), denied);
    assert_eq!(asked("image.remove", Some("docker.io/a")), Ok(()));
    assert_eq!(asked("image.pull", Some("r.example/a")), Ok(()));
    assert_eq!(asked("image.pull", None), Ok(()));
    site.config(json!({"refuse": "docker.io/"}));
    assert_eq!(asked("image.pull", Some("a")), Err(Error::Invalid("refuse is a list of texts".to_owned())));
}

#[test]
fn privileged_containers_start_unless_the_site_says_never() {
    let site = Site::new();
    let started = |privileged: bool| MyPlugin::before_start(&create(json!({"privileged": privileged})));
    assert_eq!(started(true), Ok(()));
    site.config(json!({"privileged": "never"}));
    assert_eq!(started(false), Ok(()));
    assert_eq!(started(true), Err(Error::Denied("privileged containers are not started here".to_owned())));
}

#[test]
fn ends_and_events_are_logged() {
    let site = Site::new();
    MyPlugin::after_exit(&create(json!({})), 137).unwrap();
    let event = Happened { kind: "image.pull".to_owned(), actor: "sha256:11".to_owned(), ..Happened::default() };
    MyPlugin::observe(&Event::from(event)).unwrap();
    let line = |text: &str| (Level::Info, text.to_owned());
    assert_eq!(site.lines(), [line("a container ended with 137"), line("image.pull sha256:11")]);
}
