"""Addresses of the plans slice."""

from django.urls import path

from haitang.plans import views

app_name = "plans"
urlpatterns = [
    path("", views.index, name="index"),
    path("coverage/", views.coverage, name="coverage"),
    path("<int:pk>/", views.plan, name="plan"),
    path("<int:pk>/dates/", views.edit_dates, name="edit_dates"),
    path("<int:pk>/retire/", views.retire, name="retire"),
    path("levels/<int:pk>/", views.edit_level, name="edit_level"),
]
