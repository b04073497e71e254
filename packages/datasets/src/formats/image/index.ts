export { decodeImage, imageExtensions } from './decode.js';
export { encodePng } from './png.js';
