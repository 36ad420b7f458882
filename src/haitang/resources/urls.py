"""Addresses of the resources slice; lists and rows are at /registers/."""

from django.urls import path

from haitang.resources import views

app_name = "resources"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("shelters/<int:pk>/heads", views.count_heads, name="count_heads"),
    path("shelters/<int:pk>/open", views.open_shelter, name="open_shelter"),
    path("shelters/<int:pk>/close", views.close_shelter, name="close_shelter"),
    path("teams/<int:pk>/status", views.set_team_status, name="set_team_status"),
    path("supplies/<int:pk>/take", views.take_stock, name="take_stock"),
    path("supplies/<int:pk>/return", views.return_stock, name="return_stock"),
]
