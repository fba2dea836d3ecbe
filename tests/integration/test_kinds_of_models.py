"""Changes are published whatever a model's keys, tables and managers are."""

import pickle
import uuid

import pytest
from django.apps import apps
from django.core import serializers
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, transaction

from realtime.exceptions import UncoveredWrite
from tests.integration.conftest import Journal
from tests.kinds import clear_tables, create_tables
from tests.kinds.models import (
    Category,
    Cell,
    Counter,
    Document,
    Hybrid,
    Page,
    Person,
    Place,
    Product,
    ProxyOfCategory,
    ProxyOfProduct,
    Restaurant,
    Ticket,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tables(either_database):
    create_tables()
    yield
    clear_tables()


@pytest.fixture
def journal(_tables):
    return Journal()


@pytest.fixture
def category(_tables):
    return Category.objects.create()


@pytest.fixture
def product(category):
    return Product.objects.create(sku="a", category=category)


def told(journal):
    return [(kind, data.get("name")) for kind, _, data in journal.told()]


def kinds(journal):
    return [kind for kind, _, _ in journal.told()]


def test_a_key_that_the_database_makes(journal):
    Counter.objects.create(name="x")
    assert journal.told() == [("counter.created", "kinds", {"id": 7, "name": "x"})]


def test_a_key_that_nobody_tells(journal):
    with pytest.raises(UncoveredWrite, match="not known"):
        Counter.objects.bulk_create([Counter()])
    assert not Counter.objects.exists()


def test_a_key_that_django_makes(journal):
    document = Document.objects.create(name="a")
    Document(pk=str(document.pk), name="b").save(force_update=True)
    Document.objects.update_or_create(pk=str(document.pk), defaults={"name": "c"})
    Document.objects.bulk_create(
        [Document(pk=document.pk, name="d"), Document(pk=uuid.UUID(int=5), name="e")],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=["name"],
    )
    found = told(journal)
    assert found[:3] == [("document.created", "a"), *(("document.updated", n) for n in "bc")]
    assert sorted(found[3:]) == [("document.created", "e"), ("document.updated", "d")]
    document.delete()
    assert kinds(journal) == ["document.deleted"]


def test_a_key_that_is_made_in_part(journal):
    Ticket.objects.create(place=1)
    assert journal.told() == [("ticket.created", "kinds", {"place": 1, "number": 3})]
    with pytest.raises((IntegrityError, ValueError)), transaction.atomic():
        Cell.objects.bulk_create([Cell(row=1), Cell(row=1, column=3)])


def test_a_key_of_two_columns(journal):
    cell = Cell.objects.create(row=1, column=2, name="a")
    cell.name = "b"
    cell.save()
    Cell(row="1", column="2", name="c").save()
    Cell.objects.update(name="d")
    Cell.objects.bulk_update([Cell(row=1, column=2, name="e")], ["name"])
    Cell.objects.bulk_create(
        [Cell(row=1, column=2, name="f")],
        update_conflicts=True,
        unique_fields=["row", "column"],
        update_fields=["name"],
    )
    Cell.objects.bulk_create([Cell(row=1, column=2, name="g")], ignore_conflicts=True)
    assert told(journal) == [("cell.created", "a"), *(("cell.updated", n) for n in "bcdef")]
    Cell.objects.all().delete()
    assert kinds(journal) == ["cell.deleted"]


def test_what_is_written_by_a_proxy(product, journal):
    ProxyOfProduct(sku="a", name="b", category=product.category).save()
    ProxyOfProduct.objects.update(name="c")
    assert told(journal) == [("product.updated", "b"), ("product.updated", "c")]
    ProxyOfProduct.objects.get().delete()
    assert kinds(journal) == ["product.deleted"]


@pytest.mark.parametrize("model", [Category, ProxyOfCategory])
@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("field", ["category", "shelf"])
def test_a_foreign_key_that_a_deletion_clears(category, model, bulk, field):
    Product.objects.create(sku="a", **{field: category})
    journal = Journal()
    found = model.objects.all() if bulk else model.objects.get()
    found.delete()
    assert not Product.objects.exclude(**{field: None}).exists()
    assert kinds(journal) == ["product.updated"]


RELATED = {
    "add": lambda category, product: category.products.add(product),
    "set": lambda category, product: category.products.set([product]),
    "remove": lambda category, product: category.products.remove(product),
    "clear": lambda category, product: category.products.clear(),
}


@pytest.mark.parametrize("way", RELATED)
def test_what_a_related_manager_writes(category, way):
    before = None if way in ("add", "set") else category
    product = Product.objects.create(sku="a", category=before)
    journal = Journal()
    RELATED[way](category, product)
    (updated,) = journal.told()
    assert updated[2]["category"] == (None if before else category.pk)


def test_rows_of_two_tables(journal):
    restaurant = Restaurant.objects.create(name="a")
    restaurant.name = "b"
    restaurant.save()
    Restaurant.objects.update(name="c")
    assert told(journal) == [
        ("restaurant.created", "a"),
        *(("restaurant.updated", n) for n in "bc"),
    ]
    restaurant.delete(keep_parents=True)
    assert kinds(journal) == ["restaurant.deleted"]
    with transaction.atomic():
        Restaurant(place_ptr=Place.objects.get(), name="d").save_base(raw=True)
    Restaurant(name="e").save(force_insert=(Place,))
    assert [kind for kind, _ in told(journal)] == ["restaurant.created"] * 2
    Place.objects.all().delete()
    assert kinds(journal) == ["restaurant.deleted"] * 2


def test_a_table_that_is_written_by_itself_is_part_of_what_is_published(journal):
    restaurant = Restaurant.objects.create(name="a")
    Place.objects.create(name="no restaurant")
    place = Place.objects.get(pk=restaurant.pk)
    place.name = "b"
    place.save()
    Place.objects.update(name="c")
    place.delete()
    found = journal.told()
    assert [kind for kind, _, _ in found] == [
        "restaurant.created",
        *["restaurant.updated"] * 2,
        "restaurant.deleted",
    ]
    assert [data["name"] for _, _, data in found[:-1]] == ["a", "b", "c"]


def test_a_part_that_has_a_key_of_its_own(journal):
    for _ in range(3):
        Place.objects.create()
    hybrid = Hybrid.objects.create(label="a")
    assert hybrid.pk != hybrid.plate
    hybrid.label = "b"
    hybrid.save()
    Hybrid.objects.update(label="c")
    hybrid.delete()
    assert [(kind, data.get("label")) for kind, _, data in journal.told()] == [
        ("vehicle.created", "a"),
        ("vehicle.updated", "b"),
        ("vehicle.updated", "c"),
        ("vehicle.deleted", None),
    ]


def test_a_relation_that_goes_both_ways(journal):
    one, other = Person.objects.create(), Person.objects.create()
    assert kinds(journal) == ["person.created"] * 2

    def friends():
        return {data["id"]: data["friends"] for _, _, data in journal.told()}

    one.friends.add(other)
    assert friends() == {one.pk: [other.pk], other.pk: [one.pk]}
    one.friends.remove(other)
    assert friends() == {one.pk: [], other.pk: []}
    one.friends.add(other)
    assert len(friends()) == 2
    one.friends.clear()
    assert friends() == {one.pk: [], other.pk: []}


def test_what_is_covered_stays_so_when_other_models_are_defined(category, journal):
    product = Product.objects.create(sku="a")
    apps.clear_cache()
    category.products.add(product)
    assert kinds(journal) == ["product.created", "product.updated"]


def test_querysets_are_as_djangos(product):
    found = Product.objects.all()
    assert [one.name for one in found] == [""]
    found.update(name="b")
    assert [one.name for one in found] == ["b"]
    assert list(pickle.loads(pickle.dumps(found))) == [product]
    assert Product.objects.select_for_update().distinct().update(name="c") == 1
    with transaction.atomic():
        with pytest.raises(FieldDoesNotExist):
            Product.objects.update(bogus=1)
        assert Product.objects.exists()
    with pytest.raises(ValueError, match="mutually exclusive"):
        Product.objects.bulk_create([product], ignore_conflicts=True, update_conflicts=True)


def test_an_update_of_distinct_rows_is_one_of_all(journal):
    Product.objects.bulk_create([Product(sku=sku) for sku in "123"])
    assert Product.objects.distinct("name").update(name="x") == 3
    assert kinds(journal) == ["product.created"] * 3 + ["product.updated"] * 3


def test_an_order_that_django_writes(journal):
    place = Place.objects.create()
    first, second, third = (Page.objects.create(place=place) for _ in range(3))
    place.set_page_order([third.pk, second.pk, first.pk])
    assert kinds(journal) == ["page.created"] * 3 + ["page.updated"] * 2


def test_a_deserialized_object_is_as_any(journal):
    (one,) = serializers.deserialize(
        "python", [{"model": "kinds.product", "pk": "a", "fields": {}}]
    )
    one.save()
    assert kinds(journal) == ["product.created"]
