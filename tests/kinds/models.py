"""Models whose rows are found, written and deleted in other ways than those of the demo."""

import uuid

from django.db import models


def take_off(collector, field, products, using):
    """As `SET_NULL`, of rows that were read before."""
    collector.add_field_update(field, None, products)


class Category(models.Model):
    """Not published: only what points to it is."""


class ProxyOfCategory(Category):
    class Meta:
        proxy = True


class Product(models.Model):
    """Its key is no number, and written by people."""

    sku = models.CharField(primary_key=True, max_length=20)
    name = models.CharField(max_length=20, default="")
    category = models.ForeignKey(Category, models.SET_NULL, null=True, related_name="products")
    shelf = models.ForeignKey(Category, take_off, null=True, related_name="on_shelf")


class ProxyOfProduct(Product):
    class Meta:
        proxy = True


class Document(models.Model):
    """Its keys are made by Django."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=20, default="")


class Counter(models.Model):
    """Its keys are made by the database."""

    id = models.IntegerField(primary_key=True, db_default=7)
    name = models.CharField(max_length=20, default="")


class Place(models.Model):
    """Not published by itself."""

    name = models.CharField(max_length=20, default="")


class Restaurant(Place):
    """Its rows are in two tables."""

    seats = models.IntegerField(default=0)


class Cell(models.Model):
    """Its key is of two columns."""

    pk = models.CompositePrimaryKey("row", "column")
    row = models.IntegerField()
    column = models.IntegerField()
    name = models.CharField(max_length=20, default="")


class Page(models.Model):
    """Its order is written by Django."""

    place = models.ForeignKey(Place, models.CASCADE)

    class Meta:
        order_with_respect_to = "place"
