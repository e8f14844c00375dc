import { createApp } from 'vue'
import App from '@/app/App.vue'
import { loadSession } from '@/app/session'
import { makeRouter } from '@/router'
import '@/styles/tokens.css'
import '@/styles/base.css'

loadSession()
createApp(App).use(makeRouter()).mount('#app')
