#!/bin/sh
# Fetch the Kafka broker of the tests into .cache/kafka with Maven, check it against scripts/kafka/SHA256SUMS, and
# prepare what makes it start in a second: a formatted data folder, and an archive of its classes. It is kept there;
# a complete one is not touched.
#
# For another version: change scripts/kafka/pom.xml, remove .cache/kafka, and write the checksums of
# .cache/kafka/lib to scripts/kafka/SHA256SUMS.
set -eu
cd "$(dirname "$0")/.."
home=$PWD/.cache/kafka wanted=$(cat scripts/kafka/pom.xml scripts/kafka/SHA256SUMS scripts/kafka.sh | cksum)

sh scripts/packages.sh java=default-jre-headless
[ "$(cat "$home/complete" 2>/dev/null || true)" != "$wanted" ] || exit 0
sh scripts/packages.sh mvn=maven
echo '== fetching Kafka (43 MB)' >&2
rm -rf "$home"
mkdir -p "$home"
# Maven has no time limits of its own. The older names are those of Debian's.
mvn --quiet --batch-mode -Dstyle.color=never -Dmaven.repo.local="$home/maven" -Dmaven.wagon.rto=60000 \
    -Daether.connector.connectTimeout=10000 -Daether.connector.requestTimeout=60000 --file scripts/kafka/pom.xml \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/lib" >&2
rm -rf "$home/maven"
(cd "$home/lib" && sha256sum --quiet --strict --check "$OLDPWD/scripts/kafka/SHA256SUMS") >&2
[ "$(ls "$home/lib" | wc -l)" -eq "$(wc -l <scripts/kafka/SHA256SUMS)" ] || {
    echo "Maven has brought other files than scripts/kafka/SHA256SUMS names" >&2
    exit 1
}

# The data folder names a cluster and the users of SASL/SCRAM; no port.
cat >"$home/format.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:1
listeners=CLIENTS://127.0.0.1:0,CONTROLLER://127.0.0.1:0
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$home/data
END
java -cp "$home/lib/*" kafka.tools.StorageTool format --cluster-id cHlyb2Fkcm9hZHJ1bm5lcg \
    --config "$home/format.properties" \
    --add-scram 'SCRAM-SHA-256=[name=alice,password=secret]' \
    --add-scram 'SCRAM-SHA-512=[name=alice,password=secret]' >"$home/format.log" 2>&1 || {
    cat "$home/format.log" >&2
    exit 1
}

# A run that ends at once: it records the classes of a start. Without the archive a start takes some seconds more.
PYTHONPATH=tests .venv/bin/python -m support.kafka "$home/classes.jsa" >"$home/archive.log" 2>&1 || {
    cat "$home/archive.log" >&2
    exit 1
}
echo "$wanted" >"$home/complete"
