import inToto from 'unplugin-in-toto/vite'
import vue from 'unplugin-vue/vite'
import { defineConfig } from 'vite'

export default defineConfig({ plugins: [vue(), inToto()] })
