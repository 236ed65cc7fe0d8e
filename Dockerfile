# The operator's image: node, the libraries it is linked with, and one bundle. No shell, no npm, no node_modules.
#
#   docker build -t mysql-operator:dev .
#
# With buildah and no container engine, behind a proxy with a certificate authority of its own, npm has to find its
# settings and that authority inside the build; mounted, they leave nothing in the image (test/cluster/operatorimage.ts):
#
#   buildah bud --isolation chroot --pull-never --build-arg NODE_IMAGE=localhost/node-base:24 \
#     -v ~/.npmrc:/root/.npmrc:ro -v "$NODE_EXTRA_CA_CERTS:$NODE_EXTRA_CA_CERTS:ro" -t mysql-operator:dev .
#
# NODE_IMAGE may be any Debian-like image with node 24 and npm; pin it by digest for a release. The bundle is the reason
# why node_modules is missing: of 80 MB of dependencies, most of it generated models of client-node, 3 MB are ever used,
# and loaded from one file the process starts in half the time and takes 70 MB less memory.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
# Before the sources: installed again only when the dependencies change.
COPY package.json package-lock.json ./
# Without scripts: the development dependency `node` would download a second node, and nothing that is bundled has any.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
RUN npm run build
# What the image is made of. The libraries are asked for by name, so that the same lines work on every architecture.
# Symbolic links are followed: the loader must be where the binary looks for it.
RUN mkdir -p /image/etc /image/app \
 && cp --parents --dereference "$(command -v node)" $(ldd "$(command -v node)" | grep -o '/[^ ]*') /image \
 && cp --dereference /etc/os-release /image/etc/os-release \
 && echo 'operator:x:10001:10001::/:/nologin' > /image/etc/passwd \
 && cp -R dist package.json /image/app

FROM scratch
LABEL org.opencontainers.image.title="mysql-operator" \
      org.opencontainers.image.description="MySQL databases, their accounts and their backups from a short MySQL resource" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV NODE_ENV=production PATH=/usr/local/bin:/usr/bin:/bin
WORKDIR /app
# A number: Kubernetes cannot check runAsNonRoot against a name.
USER 10001:10001
EXPOSE 8443
CMD ["node", "dist/main.js"]
