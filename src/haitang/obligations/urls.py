"""Addresses of the obligations slice. Signed links are short, because they travel in an SMS."""

from django.urls import path

from haitang.obligations.views import answer, desk, files, phone

PREFIX = ""
app_name = "obligations"
urlpatterns = [
    path("obligations/", desk.mine, name="mine"),
    path("obligations/export.csv", desk.export, name="export"),
    path("obligations/new/", desk.order, name="order"),
    path("obligations/<int:pk>/", desk.detail, name="detail"),
    path("obligations/<int:pk>/<slug:verb>/", desk.act, name="act"),
    path("obligations/evidence/<int:pk>/", files.evidence, name="evidence"),
    path("obligations/m/<int:pk>/", phone.detail, name="phone"),
    path("o/<str:token>/", answer.answer, name="answer"),
]
