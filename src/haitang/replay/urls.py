"""Addresses of the replay slice."""

from django.urls import path

from haitang.replay import views

app_name = "replay"
urlpatterns = [
    path("", views.index, name="index"),
    path("start/", views.start, name="start"),
    path("what-if/", views.what_if, name="what_if"),
    path("<int:pk>/", views.run, name="run"),
    path("<int:pk>/pause/", views.pause, name="pause"),
    path("<int:pk>/resume/", views.resume, name="resume"),
    path("<int:pk>/speed/", views.speed, name="speed"),
    path("<int:pk>/stop/", views.stop, name="stop"),
]
