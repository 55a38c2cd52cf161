import unittest

import fake_host
from fake_host import Fake, failing, refused, reset

from plugin import Admit, AfterExit, BeforeStart, Mutate, Observe
from wit_world.imports import types


def operation(**facts):
    return Fake(**{"kind": "container.create", "image": "docker.io/library/alpine", **facts})


class Lifecycle(unittest.TestCase):
    def setUp(self) -> None:
        reset()
        self.adjustment = Fake()

    def test_a_container_without_a_team_gets_the_label_of_the_site(self) -> None:
        fake_host.config["team"] = "web"
        Mutate().mutate(operation(), self.adjustment)
        self.assertEqual(self.adjustment.calls, [("set", "/labels/team", '"web"')])

    def test_nothing_is_changed_where_the_label_is_there_or_nothing_is_created_or_the_site_says_nothing(self) -> None:
        Mutate().mutate(operation(), self.adjustment)
        fake_host.config["team"] = "web"
        Mutate().mutate(operation(field='"db"'), self.adjustment)
        Mutate().mutate(operation(kind="container.start"), self.adjustment)
        self.assertEqual(self.adjustment.calls, [])

    def test_images_that_begin_with_a_refused_text_are_neither_pulled_nor_run(self) -> None:
        fake_host.config["refuse"] = '["quay.io/","docker.io/"]'
        text = "image docker.io/library/alpine is refused: images that begin with docker.io/ are"
        for kind in ["image.pull", "container.create"]:
            self.assertEqual(refused(Admit().admit, operation(kind=kind)), types.Error_Denied(text))
        Admit().admit(operation(kind="image.remove"))
        Admit().admit(operation(image="registry.example/alpine"))
        Admit().admit(operation(image=None))

    def test_a_list_that_is_none_is_said_to_be_none(self) -> None:
        for refuse in ["docker.io/", "{}", "[1]"]:
            fake_host.config["refuse"] = refuse
            error = refused(Admit().admit, operation())
            self.assertEqual(error, types.Error_Invalid("refuse is a list of texts"))

    def test_privileged_containers_start_unless_the_site_says_never(self) -> None:
        BeforeStart().before_start(operation(privileged=True))
        fake_host.config["privileged"] = "never"
        BeforeStart().before_start(operation(privileged=False))
        error = refused(BeforeStart().before_start, operation(privileged=True))
        self.assertEqual(error, types.Error_Denied("privileged containers are not started here"))

    def test_ends_and_events_are_logged(self) -> None:
        AfterExit().after_exit(operation(), 137)
        Observe().observe(Fake(kind="container.die", actor="c0"))
        self.assertEqual(fake_host.lines, [("INFO", "a container ended with 137"), ("INFO", "container.die c0")])

    def test_a_right_that_was_not_granted_is_said_by_the_host(self) -> None:
        fake_host.config["team"] = "web"
        denied = types.Error_Denied("/labels/team")
        self.assertEqual(refused(Mutate().mutate, operation(), Fake(set=failing(denied))), denied)
