#!/bin/bash
# Installs MediaWiki, PHP with SQLite, and Firefox, from Debian's packages.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends \
    mediawiki php-cli php-sqlite3 php-mbstring php-xml php-intl firefox-esr curl python3 \
    xdotool wmctrl scrot imagemagick

# Firefox shows the wiki and nothing else: no welcome page, no question.
mkdir -p /usr/lib/firefox-esr/distribution
cat > /usr/lib/firefox-esr/distribution/policies.json <<'JSON'
{"policies": {"OverrideFirstRunPage": "", "OverridePostUpdatePage": "", "DontCheckDefaultBrowser": true,
  "DisableTelemetry": true, "DisableFirefoxStudies": true, "DisableAppUpdate": true, "OfferToSaveLogins": false,
  "UserMessaging": {"SkipOnboarding": true, "WhatsNew": false}, "Preferences": {
    "datareporting.policy.dataSubmissionEnabled": {"Value": false},
    "browser.sessionstore.resume_from_crash": {"Value": false}}}}
JSON
echo 'pref("security.sandbox.warn_unprivileged_namespaces", false);' >/etc/firefox-esr/mediawiki_env.js
apt-get clean
rm -rf /var/lib/apt/lists/*
