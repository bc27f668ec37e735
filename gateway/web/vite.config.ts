import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../raffinate/web/static",
    emptyOutDir: true,
    rollupOptions: {
      input: ["index.html", "licences/index.html", "calendar/index.html", "registry/index.html"],
    },
    target: "es2022",
    // The content security policy allows files of this server only, so nothing may become data:.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": "http://127.0.0.1:8080" },
  },
});
