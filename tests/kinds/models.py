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


class Vehicle(models.Model):
    """Its key is another than that of the hybrids that are vehicles."""

    plate = models.AutoField(primary_key=True)
    label = models.CharField(max_length=20, default="")


class Hybrid(Place, Vehicle):
    """Not published by itself; its rows are in three tables, under two keys."""

    place_ptr = models.OneToOneField(Place, models.CASCADE, parent_link=True, primary_key=True)
    vehicle_ptr = models.OneToOneField(Vehicle, models.CASCADE, parent_link=True)


class Ticket(models.Model):
    """A part of its key is made by the database."""

    pk = models.CompositePrimaryKey("place", "number")
    place = models.IntegerField()
    number = models.IntegerField(db_default=3)


class Person(models.Model):
    """Its relation goes both ways."""

    friends = models.ManyToManyField("self")
