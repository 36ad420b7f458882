"""Addresses of data quality."""

from django.urls import path

from haitang.monitoring.views import quality

urlpatterns = [
    path("quality/", quality.index, name="quality"),
    path("quality/flags.csv", quality.export, name="quality_export"),
    path("quality/limits/", quality.quantities, name="quality_limits_all"),
    path("quality/limits/<str:quantity>/", quality.limits, name="quality_limits"),
    path("quality/series/<int:pk>/", quality.of_series, name="quality_series"),
    path("quality/series/<int:pk>/limits/", quality.series_limits, name="quality_series_limits"),
    path("quality/series/<int:pk>/correct/", quality.correct, name="quality_correct"),
    path("quality/corrections/<int:pk>/withdraw/", quality.withdraw, name="correction_withdraw"),
]
