"""Addresses of registers: /registers/<register>/..."""

from django.urls import path

from haitang.registry import views

PREFIX = "registers/"
app_name = "registry"
urlpatterns = [
    path("", views.index, name="index"),
    path("<slug:slug>/", views.listing, name="list"),
    path("<slug:slug>/new", views.new, name="new"),
    path("<slug:slug>/bulk", views.bulk, name="bulk"),
    path("<slug:slug>/export.<str:kind>", views.export, name="export"),
    path("<slug:slug>/template.xlsx", views.template, name="template"),
    path("<slug:slug>/import", views.bring, name="import"),
    path("<slug:slug>/import/<int:pk>", views.run, name="run"),
    path("<slug:slug>/import/<int:pk>/report.<str:kind>", views.report, name="report"),
    path("<slug:slug>/views", views.save_view, name="save_view"),
    path("<slug:slug>/views/<int:pk>/delete", views.drop_view, name="drop_view"),
    path("<slug:slug>/row/<str:code>", views.detail, name="detail"),
    path("<slug:slug>/row/<str:code>/edit", views.edit, name="edit"),
    path("<slug:slug>/row/<str:code>/archive", views.archive, name="archive"),
    path("<slug:slug>/row/<str:code>/delete", views.delete, name="delete"),
]
