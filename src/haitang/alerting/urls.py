"""Addresses of the alerting slice: pages for officials under alerting/, pages for everybody under public/."""

from django.urls import path

from haitang.alerting.views import check, compose, files, performance, public, reach, received, rules, start, warnings

PREFIX = ""
app_name = "alerting"
urlpatterns = [
    path("alerting/", warnings.index, name="warnings"),
    path("alerting/export.<str:form>", warnings.export, name="export"),
    path("alerting/performance/", performance.index, name="performance"),
    path("alerting/performance/<int:year>/report.<str:form>", performance.export, name="performance_export"),
    path("alerting/<int:pk>/measured/", performance.measured, name="measured"),
    path("alerting/<int:pk>/measured/report.<str:form>", performance.measured_export, name="measured_export"),
    path("alerting/<int:pk>/reach/", reach.reach, name="reach"),
    path("alerting/<int:pk>/reach.geojson", reach.places, name="reach_map"),
    path("alerting/compose/", compose.new, name="compose"),
    path("alerting/start/", start.start, name="start"),
    path("alerting/<int:pk>/", warnings.warning, name="warning"),
    path("alerting/<int:pk>/cap.xml", warnings.cap_xml, name="cap_xml"),
    path("alerting/<int:pk>/edit/", compose.edit, name="edit"),
    path("alerting/<int:pk>/step/<str:what>/", warnings.step, name="step"),
    path("alerting/<int:pk>/update/", compose.update, name="update"),
    path("alerting/<int:pk>/submit/", warnings.submit, name="submit"),
    path("alerting/<int:pk>/approve/", warnings.approve, name="approve"),
    path("alerting/<int:pk>/reject/", warnings.reject, name="reject"),
    path("alerting/<int:pk>/publish/", warnings.publish, name="publish"),
    path("alerting/<int:pk>/discard/", warnings.discard, name="discard"),
    path("alerting/<int:pk>/files/", files.attach, name="attach"),
    path("alerting/<int:pk>/files/<int:number>", files.file, name="file"),
    path("alerting/<int:pk>/files/<int:number>/remove/", files.detach, name="detach"),
    path("alerting/<int:pk>/cancel/", warnings.cancel, name="cancel"),
    path("alerting/<int:pk>/remind/<int:answer>/", warnings.remind, name="remind"),
    path("alerting/received/", received.index, name="received"),
    path("alerting/received/<int:pk>/", received.message, name="received_message"),
    path("alerting/received/<int:pk>/cap.xml", received.cap_xml, name="received_cap_xml"),
    path("alerting/feeds/<int:pk>/read/", received.read_feed, name="read_feed"),
    path("alerting/check/", check.check, name="check"),
    path("alerting/rules/", rules.index, name="rules"),
    path("alerting/rules/templates/<int:pk>/", rules.template, name="template"),
    path("public/", public.home, name="public"),
    path("public/warnings.atom", public.feed, name="public_feed"),
    path("public/warnings.rss", public.feed, {"form": "rss"}, name="public_rss"),
    path("public/warnings/<int:pk>/", public.warning, name="public_warning"),
    path("public/warnings/<int:pk>/cap.xml", public.cap_xml, name="public_cap"),
    path("public/warnings/<int:pk>/files/<int:number>", files.public_file, name="public_file"),
    path("public/certificate.pem", public.certificate, name="public_certificate"),
    path("public/subscribe/", public.subscribe, name="public_subscribe"),
    path("public/unsubscribe/<str:token>/", public.unsubscribe, name="public_unsubscribe"),
]
