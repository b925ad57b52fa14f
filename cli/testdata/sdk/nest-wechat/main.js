// Asks for links through nest-wechat: a question a line in, an answer a line out (cli/sdk_test.go).
require('reflect-metadata');
const { createInterface } = require('node:readline');
const axios = require('axios');
const { WeChatService } = require('nest-wechat');

const broker = process.env.LINKBROKER_URL; // https://go.example.com/k/API_KEY
axios.interceptors.request.use((config) => {
  config.url = config.url.replace('https://api.weixin.qq.com', broker);
  return config;
});
const service = new WeChatService({ appId: process.env.WECHAT_APPID, secret: process.env.WECHAT_SECRET });

async function ask(token, path, query) {
  try {
    const { data } = await service.mp.generateUrlLink({ path, query }, token);
    return { url: data.url_link, errcode: data.errcode, error: data.errcode ? data.errmsg : '' };
  } catch (error) {
    return { error: String(error) };
  }
}

async function main() {
  let token;
  for await (const line of createInterface({ input: process.stdin })) {
    const { Path: path, Queries: queries } = JSON.parse(line);
    token ??= (await service.mp.getAccessToken()).data.access_token;
    const links = await Promise.all(queries.map((query) => ask(token, path, query)));
    console.log(JSON.stringify({ token, links }));
  }
}

main();
