# Vite's own server with hot reload, in front of a local web container. Built from spa/.
ARG NODE_IMAGE=node:22-slim
FROM ${NODE_IMAGE}
ENV NODE_ENV=development
WORKDIR /spa
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --no-progress --loglevel=error && mkdir -p node_modules/.vite && chown 1000:1000 node_modules/.vite
COPY . ./
USER 1000:1000
EXPOSE 5173
CMD ["npm", "run", "dev", "--", "--host", "0.0.0.0", "--port", "5173", "--strictPort"]
