"""Addresses of the frame; they stand at the root."""

from django.urls import path

from haitang.shell.views import app, desk, journal, phone, profile

PREFIX = ""
app_name = "shell"
urlpatterns = [
    path("", desk.desk, name="desk"),
    path("desk/card/<str:id>/", desk.desk_card, name="desk_card"),
    path("wall/", desk.wall, name="wall"),
    path("wall/card/<str:id>/", desk.wall_card, name="wall_card"),
    path("m/", phone.phone, name="phone"),
    path("m/card/<str:id>/", phone.phone_card, name="phone_card"),
    path("m/map/", phone.phone_map, name="phone_map"),
    path("m/me/", phone.phone_me, name="phone_me"),
    path("profile/", profile.profile, name="profile"),
    path("permissions/", profile.permissions, name="permissions"),
    path("journal/", journal.journal, name="journal"),
    path("journal/entry/<int:pk>/", journal.journal_entry, name="journal_entry"),
    path("journal/export.csv", journal.journal_export, name="journal_export"),
    path("journal/verify/", journal.journal_verify, name="journal_verify"),
    path("manifest.webmanifest", app.manifest, name="manifest"),
    path("sw.js", app.service_worker, name="service_worker"),
    path("offline/", app.offline, name="offline"),
]
