"""Addresses of the SensorThings API, below /sta/."""

from django.urls import path

from haitang.monitoring.sensorthings import views
from haitang.monitoring.sensorthings.schema import VERSION

app_name = "sensorthings"
urlpatterns = [
    path(VERSION, views.service, name="root"),
    path(f"{VERSION}/", views.service),
    path(f"{VERSION}/CreateObservations", views.create_observations, name="create_observations"),
    path(f"{VERSION}/<path:resource>", views.resource, name="resource"),
]
