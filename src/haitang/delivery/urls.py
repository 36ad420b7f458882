"""Addresses of the delivery slice."""

from django.urls import path

from haitang.delivery.views import doors, gateways, hooks, inbox, outbox

app_name = "delivery"
urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/read/", inbox.read_all, name="read_all"),
    path("inbox/<int:pk>/", inbox.letter, name="letter"),
    path("bell/", inbox.bell, name="bell"),
    path("messages/", outbox.index, name="outbox"),
    path("messages/export/", outbox.export, name="export"),
    path("messages/<int:pk>/", outbox.message, name="message"),
    path("messages/<int:pk>/resend/", outbox.resend, name="resend"),
    path("gateways/", gateways.gateways, name="gateways"),
    path("dead/", gateways.dead, name="dead"),
    path("dead/resend/", gateways.dead_resend, name="dead_resend"),
    path("hooks/", hooks.hooks, name="hooks"),
    path("hooks/<int:pk>/remove/", hooks.remove, name="hook_remove"),
    path("receipts/<slug:channel>/", doors.take_receipts, name="receipts"),
    path("push/subscribe/", doors.subscribe, name="push_subscribe"),
    path("push/unsubscribe/", doors.unsubscribe, name="push_unsubscribe"),
]
