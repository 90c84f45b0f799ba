#!/bin/bash
# Installs the wiki that every task starts from, and its pages from /workspace/data, once.
set -euo pipefail
state=/var/lib/mediawiki_env
program=/usr/share/mediawiki
install -d -o www-data -g www-data -m 700 "$state" "$state/db"
rm -f /etc/mediawiki/LocalSettings.php

as_wiki() { su -s /bin/bash www-data -c "$1"; }

php "$program/maintenance/install.php" --dbtype sqlite --dbpath "$state/db" --dbname wiki --lang en \
    --server http://localhost:8080 --scriptpath "" --confpath /etc/mediawiki \
    --pass harbor-Light-2024 "Harbor Museum" Registrar
# No cache and no jobs in the background: what the database holds is what the wiki shows.
cat >> /etc/mediawiki/LocalSettings.php <<'PHP'
$wgMainCacheType = CACHE_NONE;
$wgJobRunRate = 0;
$wgCompressRevisions = false;
$wgLogos = false;
PHP
chown -R www-data: "$state"
chmod 644 /etc/mediawiki/LocalSettings.php

# The name of a file is the title of its page; `=` stands for a colon.
for file in /workspace/data/*.wiki; do
    title=$(basename "$file" .wiki | tr = :)
    as_wiki "php $program/maintenance/edit.php -u Registrar -s Import '$title'" < "$file"
done
mv "$state/db" "$state/template"
