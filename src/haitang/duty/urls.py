"""Addresses of the duty slice."""

from django.urls import path

from haitang.duty import views

app_name = "duty"
urlpatterns = [
    path("", views.index, name="index"),
    path("plan.csv", views.export, name="export"),
    path("<int:pk>/", views.shift, name="shift"),
    path("<int:pk>/note/", views.note, name="note"),
    path("<int:pk>/hand-over/", views.hand_over, name="hand_over"),
    path("<int:pk>/swap/", views.swap, name="swap"),
    path("<int:pk>/check/", views.check, name="check"),
]
