//! The driver over the mock host: what it plans for a layer and for a root.

use super::MyPlugin;
use davit_plugin_sdk::{
    mock::storage::{Mount, Rooted, Step, Unpacking},
    storage::{Error, Facts, Layer, Root, Steps, StorageDriver as _, Unpack},
};

/// An unfinished layer on a committed one.
fn layer() -> Layer {
    Layer::base("aa").at("t-aa").child("bb")
}

#[test]
fn it_works_on_any_file_system() {
    assert_eq!(MyPlugin::probe(&Facts::new(&[], 0)), Ok(()));
}

#[test]
fn a_layer_is_written_into_a_copy_of_its_parent() {
    let (steps, unpack) = (Steps::new(), Unpack::new());
    MyPlugin::prepare_layer(&layer(), &steps, &unpack).unwrap();
    assert_eq!(steps.recorded(), [Step::CloneTree { src: "t-aa".to_owned(), dst: "bb.part".to_owned() }]);
    let wanted =
        Unpacking { into: Some("bb.part".to_owned()), needs_parent_first: true, whiteouts: "apply".to_owned() };
    assert_eq!(unpack.recorded(), wanted);
}

#[test]
fn a_layer_without_a_committed_parent_begins_empty() {
    for layer in [Layer::base("bb"), Layer::base("aa").child("bb")] {
        let (steps, unpack) = (Steps::new(), Unpack::new());
        MyPlugin::prepare_layer(&layer, &steps, &unpack).unwrap();
        assert_eq!(steps.recorded(), [Step::MakeDir { at: "bb.part".to_owned() }]);
    }
}

#[test]
fn what_is_written_gets_its_name_at_once() {
    let renamed = |src: &str| [Step::Rename { src: src.to_owned(), dst: "t-bb".to_owned() }];
    let steps = Steps::new();
    assert_eq!(MyPlugin::commit_layer(&layer(), &steps), Ok("t-bb".to_owned()));
    assert_eq!(steps.recorded(), renamed("bb.part"));
    let steps = Steps::new();
    assert_eq!(MyPlugin::promote("c0", &layer(), &steps), Ok("t-bb".to_owned()));
    assert_eq!(steps.recorded(), renamed("r-c0"));
}

#[test]
fn a_root_is_a_writable_copy_of_the_topmost_layer() {
    let (steps, root) = (Steps::new(), Root::new());
    MyPlugin::prepare_root("c0", Some(&layer().at("t-bb")), &steps, &root).unwrap();
    assert_eq!(steps.recorded(), [Step::CloneTree { src: "t-bb".to_owned(), dst: "r-c0".to_owned() }]);
    let mount = Some(Mount::Tree { at: "r-c0".to_owned(), writable: true });
    assert_eq!(root.recorded(), Rooted { mount, changes: None });
}

#[test]
fn a_root_on_an_unfinished_layer_is_refused() {
    let refused = MyPlugin::prepare_root("c0", Some(&layer()), &Steps::new(), &Root::new());
    assert_eq!(refused, Err(Error::Invalid("layer bb is not committed".to_owned())));
}

#[test]
fn a_layer_is_removed_where_it_is() {
    for (layer, at) in [(layer().at("t-bb"), "t-bb"), (layer(), "bb.part")] {
        let steps = Steps::new();
        MyPlugin::remove_layer(&layer, &steps).unwrap();
        assert_eq!(steps.recorded(), [Step::Discard { at: at.to_owned() }]);
    }
}
