"""Sign-in: of allauth's pages those that a closed platform needs. Accounts come from administrators, not from visitors."""

from allauth.account import views as account
from django.urls import include, path

from haitang.accounts import views

PREFIX = "accounts/"
urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/forgotten/", views.password_forgotten, name="account_reset_password"),
    # The sign-in page asks for these addresses; they show that sign-up is closed.
    path("signup/", account.signup, name="account_signup"),
    path("password/set/", account.password_change, name="account_set_password"),
    path("2fa/", include("allauth.mfa.urls")),
]
