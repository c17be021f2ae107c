/** The shared app of ../app, built by Vite, with a signed link in dist. */
import { fileURLToPath } from 'node:url'
import inToto from 'unplugin-in-toto/vite'
import vue from 'unplugin-vue/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  root: fileURLToPath(new URL('../app', import.meta.url)),
  build: { outDir: fileURLToPath(new URL('dist', import.meta.url)), emptyOutDir: true },
  plugins: [vue(), inToto({ root: 'workspace' })],
})
