"""What was done is undone, by the same API."""

from playwright.sync_api import expect

from tests.frontend.conftest import Visitor

Both = tuple[Visitor, Visitor]


def undo(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Undo").click()


def test_each_step_is_undone_for_everybody(both: Both) -> None:
    alice, bob = both
    alice.page.get_by_role("checkbox", name="Milk").check()
    expect(bob.page.get_by_role("checkbox", name="Milk")).to_be_checked()
    undo(alice)
    expect(bob.page.get_by_role("checkbox", name="Milk")).not_to_be_checked()
    alice.rewrite("Milk", "Oat milk")
    expect(bob.texts.nth(1)).to_have_text("Oat milk")
    undo(alice)
    expect(bob.texts.nth(1)).to_have_text("Milk")
    alice.page.get_by_role("button", name="Move “Bread”").press("End")
    expect(bob.texts).to_have_text(["Milk", "Apples", "Bread"])
    undo(alice)
    expect(bob.texts).to_have_text(["Bread", "Milk", "Apples"])
    alice.page.get_by_role("button", name="Delete “Milk”").click()
    expect(bob.texts).to_have_text(["Bread", "Apples"])
    undo(alice)
    expect(bob.texts).to_have_text(["Bread", "Milk", "Apples"])


def test_the_keyboard_undoes_one_step_after_the_other(both: Both) -> None:
    alice, bob = both
    for name in ("Bread", "Milk"):
        alice.page.get_by_role("checkbox", name=name).check()
    expect(bob.page.get_by_role("checkbox", checked=True)).to_have_count(2)
    alice.page.keyboard.press("Control+z")
    expect(bob.page.get_by_role("checkbox", name="Milk")).not_to_be_checked()
    expect(alice.page.locator("#announcer")).to_have_text("Undone: Done: “Milk”")
    alice.page.keyboard.press("Control+z")
    expect(bob.page.get_by_role("checkbox", checked=True)).to_have_count(0)


def test_what_others_have_changed_since_is_left_alone(both: Both) -> None:
    alice, bob = both
    alice.rewrite("Milk", "Oat milk")
    expect(bob.texts.nth(1)).to_have_text("Oat milk")
    bob.rewrite("Oat milk", "Soy milk")
    expect(alice.texts.nth(1)).to_have_text("Soy milk")
    undo(alice)
    expect(alice.page.locator(".toast")).to_contain_text("be undone any more")
    expect(alice.texts.nth(1)).to_have_text("Soy milk")
