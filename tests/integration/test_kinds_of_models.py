"""Changes are published whatever a model's keys, tables and managers are."""

import uuid

import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection, transaction

from realtime.exceptions import UncoveredWrite
from tests.integration.conftest import Journal
from tests.kinds.models import (
    Category,
    Cell,
    Counter,
    Document,
    Page,
    Place,
    Product,
    ProxyOfCategory,
    ProxyOfProduct,
    Restaurant,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tables(either_database):
    """PostgreSQL's database is the project's, which doesn't know this application."""
    tables = connection.introspection.table_names()
    missing = [
        model
        for model in apps.get_app_config("kinds").get_models()
        if not model._meta.proxy and model._meta.db_table not in tables
    ]
    with connection.schema_editor() as editor:
        for model in missing:
            editor.create_model(model)
    yield
    for model in (Product, Category, Document, Counter, Place, Cell):
        model.objects.all().delete()


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
