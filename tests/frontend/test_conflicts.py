"""Two people change the same text: nobody overwrites what they have not seen, and nothing that was
typed is lost."""

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import Visitor

Both = tuple[Visitor, Visitor]


def clash(alice: Visitor, bob: Visitor) -> None:
    """alice has the field open while bob saves another text."""
    alice.rewrite("Milk", "Oat milk", save=False)
    with bob.page.expect_response(lambda one: one.request.method == "PATCH"):
        bob.rewrite("Milk", "Soy milk")
    alice.page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("choice", "ends"), [("Keep mine", "Oat milk"), ("Take theirs", "Soy milk")]
)
def test_both_versions_are_offered(both: Both, choice: str, ends: str) -> None:
    alice, bob = both
    alice.listen()
    clash(alice, bob)
    card = alice.item("Soy milk").locator(".card-unsent")
    expect(card.locator("dt, dd")).to_have_text(["Yours", "Oat milk", "Theirs", "Soy milk"])
    expect(alice.page.get_by_role("button", name="Undo")).to_have_count(0)
    alice.expect_said("Not saved. Changed by somebody else")
    expect(bob.texts.nth(1)).to_have_text("Soy milk")
    card.get_by_role("button", name=choice).click()
    expect(card).to_have_count(0)
    expect(alice.texts.nth(1)).to_have_text(ends)
    expect(bob.texts.nth(1)).to_have_text(ends)
    expect(alice.texts.nth(1)).to_be_focused()


@pytest.mark.parametrize("by", ["toast", "keyboard"])
def test_keeping_ones_own_version_can_be_undone(both: Both, by: str) -> None:
    alice, bob = both
    clash(alice, bob)
    alice.page.get_by_role("button", name="Keep mine").click()
    expect(bob.texts.nth(1)).to_have_text("Oat milk")
    expect(alice.page.locator(".toast")).to_contain_text("Changed “Soy milk”")
    if by == "toast":
        alice.page.get_by_role("button", name="Undo").click()
    else:
        alice.page.keyboard.press("Control+z")
    expect(bob.texts.nth(1)).to_have_text("Soy milk")
    expect(alice.page.locator(".card-unsent")).to_have_count(0)


def test_ones_own_version_can_be_edited_again_and_theirs_is_up_to_date(both: Both) -> None:
    alice, bob = both
    clash(alice, bob)
    card = alice.page.locator(".card-unsent")
    expect(card).to_be_visible()
    bob.rewrite("Soy milk", "Soya milk")
    expect(card.locator("dd").nth(1)).to_have_text("Soya milk")
    card.get_by_role("button", name="Edit again").click()
    alice.page.get_by_role("textbox", name="Your text").fill("Soya or oat milk")
    alice.page.keyboard.press("Enter")
    expect(bob.texts.nth(1)).to_have_text("Soya or oat milk")
    expect(card).to_have_count(0)


def test_another_change_of_the_same_item_is_no_conflict(both: Both) -> None:
    alice, bob = both
    alice.rewrite("Milk", "Oat milk", save=False)
    bob.page.get_by_role("checkbox", name="Milk").check()
    expect(alice.page.get_by_role("checkbox", name="Milk")).to_be_checked()
    alice.page.keyboard.press("Enter")
    expect(bob.texts.nth(1)).to_have_text("Oat milk")
    expect(alice.page.get_by_role("checkbox", name="Oat milk")).to_be_checked()
    expect(alice.page.locator(".card-unsent")).to_have_count(0)


def test_what_is_typed_survives_the_item(both: Both) -> None:
    alice, bob = both
    alice.rewrite("Milk", "Oat milk", save=False)
    bob.page.get_by_role("button", name="Delete “Milk”").click()
    expect(alice.page.locator(".item.gone")).to_contain_text("Deleted meanwhile")
    expect(alice.page.get_by_role("textbox", name="Text")).to_have_value("Oat milk")
    alice.page.keyboard.press("Enter")
    card = alice.page.locator("#unsent .card-unsent")
    expect(card).to_contain_text("“Milk” was deleted meanwhile")
    expect(card).to_contain_text("Oat milk")
    alice.page.reload()
    card.get_by_role("button", name="Add it again").click()
    expect(bob.texts).to_have_text(["Bread", "Oat milk", "Apples"])
    expect(card).to_have_count(0)


def test_what_is_typed_survives_the_right_to_the_list(both: Both) -> None:
    alice, bob = both
    bob.rewrite("Milk", "Oat milk", save=False)
    alice.page.locator(".people").click()
    alice.page.get_by_role("button", name="Remove bob").click()
    expect(bob.page.locator("#panel-notice")).to_contain_text("no longer")
    expect(bob.page.locator("#unsent-elsewhere")).to_contain_text("Oat milk")


def test_two_names_of_a_list_meet_as_well(both: Both) -> None:
    alice, bob = both
    alice.page.locator("h1 button").click()
    alice.page.get_by_role("textbox", name="Name of the list").fill("Mine")
    bob.page.locator("h1 button").click()
    bob.page.get_by_role("textbox", name="Name of the list").fill("Theirs")
    with bob.page.expect_response(lambda one: one.request.method == "PATCH"):
        bob.page.keyboard.press("Enter")
    alice.page.keyboard.press("Enter")
    card = alice.page.locator("#unsent .card-unsent")
    expect(card.locator("dt, dd")).to_have_text(["Yours", "Mine", "Theirs", "Theirs"])
    card.get_by_role("button", name="Keep mine").click()
    expect(bob.page.get_by_role("heading", level=1)).to_have_text("Mine")
    alice.page.get_by_role("button", name="Undo").click()
    expect(bob.page.get_by_role("heading", level=1)).to_have_text("Theirs")


def test_leaving_the_page_saves_what_is_being_typed(both: Both) -> None:
    alice, bob = both
    alice.rewrite("Milk", "Oat milk", save=False)
    alice.page.close()
    expect(bob.texts.nth(1)).to_have_text("Oat milk")
