# Weir as an image: built in a stage of its own, without the embedded PostgreSQL and the Node that come
# with the packages, and without development's tools. Runs as the user 1000 on a read-only root;
# only /var/lib/weir is written. Debian's base and not Alpine's: what is built has no musl here.

FROM node:26-bookworm-slim AS build
WORKDIR /weir
COPY package.json package-lock.json ./
COPY scripts/link-node.js scripts/
RUN npm ci --no-audit --no-fund
COPY . .
# Nobody reads source maps in a container.
RUN npm run build && find dist -name '*.map' -delete

FROM node:26-bookworm-slim AS packages
WORKDIR /weir
COPY package.json package-lock.json ./
# Optional packages are the embedded database and Node itself: here PostgreSQL is another server.
# What only people and compilers read is more than half of them. Licences stay.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
    && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.md' \) \
        ! -iname '*licen[cs]e*' ! -iname '*copying*' ! -iname '*notice*' -delete

FROM node:26-bookworm-slim
# Nothing is installed in a container that runs: without npm there is less to attack.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
    && install -d -o 1000 -g 1000 -m 0700 /var/lib/weir
WORKDIR /weir
COPY --from=packages /weir/node_modules ./node_modules
COPY --from=build /weir/package.json /weir/LICENSE ./
COPY --from=build /weir/dist ./dist
ENV NODE_ENV=production \
    WEIR_DATA_DIR=/var/lib/weir
USER 1000:1000
VOLUME /var/lib/weir
EXPOSE 8080 8081 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node is the first process and gets the signals itself: SIGTERM drains.
CMD ["node", "--min-semi-space-size=64", "--max-semi-space-size=64", "--no-parallel-scavenge", "dist/apps/gateway/src/main.js"]
