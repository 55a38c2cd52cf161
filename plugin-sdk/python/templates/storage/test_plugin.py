import unittest

from fake_host import Fake, failing, lines, refused, reset

from davit import guarded
from plugin import Driver
from wit_world.imports import types


class Storage(unittest.TestCase):
    def setUp(self) -> None:
        reset()
        self.driver, self.steps = Driver(), Fake()
        self.base = Fake(chain_id="aa", place="t-aa")

    def test_a_base_layer_is_written_into_an_empty_folder(self) -> None:
        unpack = Fake()
        self.driver.prepare_layer(Fake(chain_id="aa"), self.steps, unpack)
        self.assertEqual(self.steps.calls, [("make_dir", "aa.part")])
        self.assertEqual(unpack.calls, [("into", "aa.part"), ("needs_parent_first",), ("whiteouts", "apply")])

    def test_a_layer_begins_as_a_copy_of_its_parent(self) -> None:
        self.driver.prepare_layer(Fake(chain_id="bb", parent=self.base), self.steps, Fake())
        self.assertEqual(self.steps.calls, [("clone_tree", "t-aa", "bb.part")])

    def test_a_committed_layer_has_its_final_name(self) -> None:
        self.assertEqual(self.driver.commit_layer(Fake(chain_id="bb"), self.steps), "t-bb")
        self.assertEqual(self.steps.calls, [("rename", "bb.part", "t-bb")])

    def test_a_root_is_a_writable_copy_of_the_top_layer(self) -> None:
        root = Fake()
        self.driver.prepare_root("c0", self.base, self.steps, root)
        self.assertEqual(self.steps.calls + root.calls, [("clone_tree", "t-aa", "r-c0"), ("tree", "r-c0", True)])

    def test_a_root_on_a_layer_that_is_not_committed_is_refused(self) -> None:
        error = refused(self.driver.prepare_root, "c0", Fake(chain_id="bb"), self.steps, Fake())
        self.assertEqual(error, types.Error_Invalid("layer bb is not committed"))

    def test_changes_become_a_layer_and_a_layer_can_be_removed_before_it_is_committed(self) -> None:
        self.assertEqual(self.driver.promote("c0", Fake(chain_id="cc"), self.steps), "t-cc")
        self.driver.remove_layer(self.base, self.steps)
        self.driver.remove_layer(Fake(chain_id="dd"), self.steps)
        self.assertEqual(self.steps.calls, [("rename", "r-c0", "t-cc"), ("discard", "t-aa"), ("discard", "dd.part")])

    def test_the_hosts_error_is_handed_on_and_a_mistake_becomes_internal(self) -> None:
        there = types.Error_Conflict("t-aa is there")
        self.assertEqual(refused(self.driver.commit_layer, self.base, Fake(rename=failing(there))), there)
        broken = Fake(chain_id=lambda: 1 // 0)
        error = refused(self.driver.commit_layer, broken, self.steps)
        self.assertEqual(error, types.Error_Internal("ZeroDivisionError: integer division or modulo by zero"))
        self.assertIn("Traceback", lines[0][1])

    def test_a_place_that_is_no_text_is_internal(self) -> None:
        @guarded
        class Forgetful:
            def promote(self) -> None:
                pass

        self.assertEqual(refused(Forgetful().promote), types.Error_Internal("promote answers a text, not NoneType"))
